/** Whose request it is: the peer, or what a trusted proxy says about it. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

export type ResolvedAddress = { address: string; is_proxied: boolean }

/**
 * Says whose request it is: the peer, or, when the peer is one of `trusted`, the rightmost entry of
 * X-Forwarded-For that no trusted proxy wrote about itself. What stands left of it is the caller's own claim.
 * `trusted` holds addresses and CIDR networks; an entry that is neither throws.
 */
export function addressResolver(trusted: readonly string[]): (req: IncomingMessage) => ResolvedAddress {
  const isProxy = addressMatcher(trusted)
  return (req) => {
    const peer = plainAddress(req.socket.remoteAddress ?? '')
    if (!isProxy(peer)) return { address: peer, is_proxied: false }
    const header = req.headers['x-forwarded-for']
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',')
    let address = peer
    for (let at = hops.length - 1; at >= 0; at--) {
      const hop = plainAddress(hops[at]!)
      if (isIP(hop) === 0) break
      address = hop
      if (!isProxy(hop)) break
    }
    if (address !== peer || header !== undefined) return { address, is_proxied: true }
    const real = plainAddress(String(req.headers['x-real-ip'] ?? ''))
    return { address: isIP(real) === 0 ? peer : real, is_proxied: true }
  }
}

export function addressMatcher(trusted: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of trusted) {
    const [address = '', bits] = entry.trim().split('/')
    const version = isIP(address)
    const width = Number(bits ?? (version === 4 ? 32 : 128))
    if (version === 0 || !Number.isInteger(width) || width < 0 || width > (version === 4 ? 32 : 128)) {
      throw new Error(`not an address or a network: ${entry}`)
    }
    list.addSubnet(address, width, version === 4 ? 'ipv4' : 'ipv6')
  }
  return (address) => {
    const version = isIP(address)
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Without port, brackets, zone and the IPv6 coat of an IPv4 address. */
export function plainAddress(text: string): string {
  let address = text.trim()
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address)
  if (bracketed !== null) address = bracketed[1]!
  else if (/^\d+\.\d+\.\d+\.\d+:\d+$/.test(address)) address = address.slice(0, address.indexOf(':'))
  const zone = address.indexOf('%')
  if (zone >= 0) address = address.slice(0, zone)
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address
}

/** What a quota counts: an IPv4 address, or the /64 that one IPv6 customer owns. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [left = '', right] = address.split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  return [...head, ...Array<string>(zeros).fill('0'), ...tail]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
