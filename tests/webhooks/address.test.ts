/** Where a webhook may not lead, in every spelling, and also when the name service changes its mind. */
import assert from 'node:assert/strict'
import type { lookup } from 'node:dns'
import { guardedLookup, mayReach, whyNotUrl } from '../../src/webhooks/address.ts'
import { makeSender } from '../../src/webhooks/send.ts'
import { startReceiver } from './kit.ts'

const INTERNAL = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:10.0.0.1',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
]
const PUBLIC = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.1',
  '172.15.255.255',
  '172.32.0.1',
  '193.0.0.1',
  '2606:4700::1111',
  '2a00:1450::1',
]

/** A name service that answers what it is told, call after call. */
function names(...answers: string[][]): { resolve: typeof lookup; asked: () => number } {
  let calls = 0
  const resolve = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
    const found = answers[Math.min(calls++, answers.length - 1)]!
    callback(
      null,
      found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }) as unknown as typeof lookup
  return { resolve, asked: () => calls }
}

describe('webhooks: addresses', () => {
  const strict = { allows_loopback: false }

  for (const address of INTERNAL)
    it(`P-53 ${address} is not reached, by itself, in a URL or behind a name`, async () => {
      assert.equal(mayReach(address, strict), false)
      const url = `https://${address.includes(':') ? `[${address}]` : address}/`
      assert.equal(whyNotUrl(url, strict), 'This address is internal.')
      const sent = await makeSender(strict)(url, {}, '{}')
      assert.equal(sent.failure, 'internal_address')
      const behind = await makeSender({ ...strict, resolve: names([address]).resolve })(
        'https://name.example/',
        {},
        '{}',
      )
      assert.equal(behind.failure, 'internal_address')
    })

  it('P-53 public addresses are', () => {
    for (const address of PUBLIC) assert.ok(mayReach(address, strict), address)
  })

  for (const spelling of [
    '127.1',
    '0x7f.1',
    '0177.0.0.1',
    '2130706433',
    '0x7f000001',
    '127.0.0.1.',
    '[::ffff:7f00:1]',
    'localhost',
    'LOCALHOST',
  ])
    it(`P-53 https://${spelling}/ is this machine, and refused`, () => {
      assert.notEqual(whyNotUrl(`https://${spelling}/`, strict), undefined)
    })

  it('P-53 of several addresses only the public ones are offered', async () => {
    const { resolve } = names(['10.0.0.1', '1.1.1.1', '::1'])
    const offered = await new Promise((done, fail) =>
      guardedLookup(strict, resolve)('name.example', { all: true }, (error, found) =>
        error ? fail(error) : done(found),
      ),
    )
    assert.deepEqual(offered, [{ address: '1.1.1.1', family: 4 }])
  })

  it('P-53 DNS rebinding: the address that was judged is the one that is connected to', async () => {
    const receiver = await startReceiver()
    try {
      // Reachable when asked first, internal when asked again.
      const { resolve, asked } = names(['127.0.0.1'], ['10.0.0.1'])
      const send = makeSender({ allows_loopback: true, resolve, timeout_ms: 1_000 })
      const url = `https://name.example:${receiver.port}/in`
      const first = await send(url, {}, '{}')
      assert.notEqual(first.failure, 'internal_address')
      assert.deepEqual([asked(), receiver.connections()], [1, 1], 'one question, one connection')
      const second = await send(url, {}, '{}')
      assert.equal(second.failure, 'internal_address')
      assert.equal(receiver.connections(), 1)
    } finally {
      await receiver.close()
    }
  })

  it('loopback needs the setting, and with it other internal addresses stay closed', async () => {
    const receiver = await startReceiver()
    try {
      const loose = { allows_loopback: true }
      assert.equal((await makeSender(strict)(receiver.url, {}, '{}')).failure, 'internal_address')
      assert.equal((await makeSender(loose)(receiver.url, {}, '{}')).status_code, 204)
      assert.equal(whyNotUrl('http://192.168.0.1/', loose) === undefined, false)
      assert.equal(mayReach('169.254.169.254', loose), false)
    } finally {
      await receiver.close()
    }
  })
})
