// Real quicknet rounds for tests and offline demonstrations; each verifies under the pinned key or is wrong.
// They were public long before any draw that uses them, so such a draw is labelled `operator`.
import type { BeaconValue } from './beacon.ts'
import { QUICKNET } from './beacon.ts'

/** Rounds that the recorded source hands out, in the order it takes them. */
export const RECORDED_ROUNDS: readonly BeaconValue[] = [
  {
    round: 123,
    signature:
      'b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92',
    randomness: 'fb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc',
  },
  {
    round: 1000,
    signature:
      'b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39',
    randomness: 'fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd',
  },
  {
    round: 1001,
    signature:
      'b33bf3667cbd5a82de3a24b4e0e9fe5513cc1a0e840368c6e31f5fcfa79bea03f73896b25883abf2853d10337fb8fa41',
    randomness: 'b0a591ad1b9002cfc372ac6e30abd3da8d3088d4caae026961743474fb94235f',
  },
  {
    round: 1003,
    signature:
      'b104c82771698f45fd8dcfead083d482694c31ab519bcef077f126f3736fe98c8392fd5d45d88aeb76b56ccfcb0296d7',
    randomness: '758f0c906d8c5296a032a66f0d96c6e0eeea4291e8fc9830bbfb19a2ba8610a9',
  },
  {
    round: 20791007,
    signature:
      '8d2c8bbc37170dbacc5e280a21d4e195cff5f32a19fd6a58633fa4e4670478b5fb39bc13dd8f8c4372c5a76191198ac5',
    randomness: 'f4ad45db792e14676c62891989b804504e09bf0029cd472143d958649ab3c88a',
  },
].map((value) => ({ chain: QUICKNET.chain, ...value }))
