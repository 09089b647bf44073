/** `npm run token`: a bearer token signed with the server's own key. */

import { readConfig } from '../config.ts'
import type { Role } from '../db/tx.ts'
import { makeTokens, TOKEN_TTL_S_MAX } from '../http/tokens.ts'
import { loadTokenKey } from '../keyfiles.ts'
import { isMain, makeCommand, runCommand, WrongUse } from './command.ts'

const ROLES: readonly Role[] = [
  'player',
  'spectator',
  'creator',
  'operator',
  'service',
  'auditor',
  'platform',
]

const TENANT_CODE = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

const command = makeCommand('token', 'Prints a bearer token signed with the key of this server.')
  .option('--tenant <code>', 'code of the tenant; only a platform token has none')
  .requiredOption('--sub <user>', 'user id, 1-128 characters')
  .option('--role <roles>', `comma-separated: ${ROLES.join(', ')}`, 'player')
  .option('--ttl <seconds>', `how long it holds, at most ${TOKEN_TTL_S_MAX}`, '3600')

type Options = { tenant?: string; sub: string; role: string; ttl: string }

/** Checks the options. Throws WrongUse with a sentence for each mistake. */
function claimsOf({ tenant, sub, role, ttl }: Options): {
  tenant: string | null
  sub: string
  roles: Role[]
  ttl_s: number
} {
  const roles = role.split(',').map((each) => each.trim())
  const ttl_s = Number(ttl)
  const unknown = roles.filter((each) => !(ROLES as readonly string[]).includes(each))
  const mistakes = [
    (tenant === undefined ? role === 'platform' : TENANT_CODE.test(tenant))
      ? null
      : '--tenant is a tenant code: a-z, 0-9 and dashes, at most 64.',
    sub.length >= 1 && sub.length <= 128 ? null : '--sub is 1-128 characters.',
    unknown.length === 0
      ? null
      : `--role does not know ${unknown.map((each) => JSON.stringify(each)).join(', ')}; it takes ${ROLES.join(', ')}.`,
    Number.isInteger(ttl_s) && ttl_s >= 1 && ttl_s <= TOKEN_TTL_S_MAX
      ? null
      : `--ttl is a number of seconds from 1 to ${TOKEN_TTL_S_MAX}.`,
  ].filter((mistake) => mistake !== null)
  if (mistakes.length > 0) throw new WrongUse(mistakes.join('\n'))
  return { tenant: tenant ?? null, sub, roles: roles as Role[], ttl_s }
}

if (isMain(import.meta)) {
  await runCommand(command, async (options: Options) => {
    const claims = claimsOf(options)
    const config = readConfig(undefined, { needs: ['TOKEN_KEY'] })
    const tokens = makeTokens(loadTokenKey(config))
    const { token } = await tokens.sign(claims)
    process.stdout.write(`${token}\n`)
    return 0
  })
}
