/**
 * Where a webhook may point: public addresses only, so that nobody makes this server ask its own neighbours (SSRF).
 * The answer of the name service is judged at the moment of connecting, and the connection goes to exactly the address
 * that was judged: a name that changes its mind in between (DNS rebinding) gains nothing.
 */
import { lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** IANA special-purpose registries, RFC 6890 and successors. */
const INTERNAL_V4: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** Inside 2000::/3: protocols' own, Teredo, documentation, and 6to4, which carries an IPv4 address of anybody's choice. */
const SPECIAL_V6: readonly [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

function listOf(v4: readonly [string, number][], v6: readonly [string, number][]): BlockList {
  const list = new BlockList()
  for (const [net, bits] of v4) list.addSubnet(net, bits, 'ipv4')
  for (const [net, bits] of v6) list.addSubnet(net, bits, 'ipv6')
  return list
}

const internalV4 = listOf(INTERNAL_V4, [])
const globalV6 = listOf([], [['2000::', 3]])
const specialV6 = listOf([], SPECIAL_V6)
const loopback = listOf([['127.0.0.0', 8]], [['::1', 128]])

/** Whether a webhook may be sent to an IP address. */
export function mayReach(address: string, { allows_loopback }: { allows_loopback: boolean }): boolean {
  const family = isIP(address)
  if (family === 0) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  if (allows_loopback && loopback.check(address, kind)) return true
  if (family === 4) return !internalV4.check(address, 'ipv4')
  // Only what is global unicast: mapped, compatible, NAT64, unique local, link local and multicast lie outside.
  return globalV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6')
}

/** Why a URL cannot be a webhook's, as a sentence; undefined when it can, as far as its text tells. */
export function whyNotUrl(text: string, setting: { allows_loopback: boolean }): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return 'This is no URL.'
  // The parser writes 0x7f.1, 2130706433 and the like as the dotted address that they are.
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const is_loopback =
    host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6'))
  const is_plain = url.protocol === 'http:' && setting.allows_loopback && is_loopback
  if (url.protocol !== 'https:' && !is_plain) return 'A webhook needs an https:// address.'
  if (url.username !== '' || url.password !== '') return 'Name and password do not belong into the address.'
  if (url.hash !== '') return 'A fragment is never sent.'
  const is_internal =
    isIP(host) === 0 ? host === 'localhost' && !setting.allows_loopback : !mayReach(host, setting)
  if (is_internal) return 'This address is internal.'
  return undefined
}

/** Refused by the guard: the name leads to no address that may be reached. */
export class InternalAddressError extends Error {
  readonly code = 'internal_address'
  constructor() {
    super('the name leads to no public address')
  }
}

/** A `lookup` for net.connect that answers public addresses only. `resolve` is the system's, but for tests. */
export function guardedLookup(
  setting: { allows_loopback: boolean },
  resolve: typeof systemLookup = systemLookup,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const reachable = addresses.filter(({ address }) => mayReach(address, setting))
      const [first] = reachable
      if (first === undefined) return callback(new InternalAddressError(), '', 0)
      if (options.all) callback(null, reachable as never)
      else callback(null, first.address, first.family)
    })
  }
}
