/** What one installation of the guards goes by: the callbacks and numbers that `installGuards` was given. */
import type { AuthContext, Room } from '@colyseus/core'
import type { WireLimits } from '../wire.ts'
import { type BucketSize, type GuardLimits, LIMITS } from './limits.ts'

export type Report = (where: string, error: unknown) => void
/** What the outside may know of an error: the catalogue of src/errors.ts fits. */
export type PublicError = (error: unknown) => { status: number; code: string } | undefined
export type RoomClass = (new () => Room) & {
  onAuth(token: string, options: any, context: AuthContext): Promise<unknown>
}

export type GuardOptions = {
  report: Report
  /** Every room class of the process. Each is checked and primed. */
  roomClasses: readonly (new () => Room)[]
  /** Origins beside the server's own, as `https://host[:port]`. */
  origins?: readonly string[]
  /** Maps refusals of the product; without it (or for undefined) an error that is no ServerError is `internal`. */
  publicError?: PublicError
  /** Names the user behind what onAuth returned; undefined for nobody. Default: tenant and userId. */
  userKey?: (auth: any) => string | undefined
  /** Names the user behind a token the same way; then a seat opens only to the user who reserved it. */
  userKeyOfToken?: (token: string) => Promise<string | undefined>
  limits?: Partial<GuardLimits>
  wire?: Partial<WireLimits>
  buckets?: Readonly<Record<string, BucketSize>>
}

type Settings = Required<Omit<GuardOptions, 'limits' | 'wire' | 'userKeyOfToken' | 'buckets'>> & {
  limits: GuardLimits
  userKeyOfToken: GuardOptions['userKeyOfToken']
  buckets: Readonly<Record<string, BucketSize>>
}

/** Read where it is used, never copied: another installation replaces it. */
export let settings: Settings = {
  report: () => {},
  roomClasses: [],
  origins: [],
  publicError: () => undefined,
  userKey: userKeyByDefault,
  userKeyOfToken: undefined,
  limits: LIMITS,
  buckets: {},
}

/** Replaces what the guards go by. Members that are left out fall back to their defaults. */
export function useOptions(options: GuardOptions): void {
  settings = {
    report: options.report,
    roomClasses: options.roomClasses,
    origins: options.origins ?? [],
    publicError: options.publicError ?? (() => undefined),
    userKey: options.userKey ?? userKeyByDefault,
    userKeyOfToken: options.userKeyOfToken,
    limits: { ...LIMITS, ...options.limits },
    buckets: options.buckets ?? {},
  }
}

function userKeyByDefault(auth: { tenant?: string; userId?: string } | null | undefined): string | undefined {
  return auth?.userId ? `${auth.tenant ?? ''}/${auth.userId}` : undefined
}
