// The seed of every random test: printed when chosen, taken back from TEST_SEED.
export const TEST_SEED = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31) | 0

/** Options for fast-check: our seed, so that one number repeats a whole run. fast-check prints it on failure too. */
export const propertyOptions = (runs: number) => ({ seed: TEST_SEED, numRuns: runs })

before(() => {
  console.log(`    TEST_SEED=${TEST_SEED}`)
})
