/** Pictures and messages of claims over HTTP: what is kept of a file, who sees it, and what is refused. */
import assert from 'node:assert/strict'
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { PICTURE_BYTES_MAX, PROOFS_PER_SIDE } from '../../src/claims/rules.ts'
import { type Product, startProduct } from '../http/product.ts'
import { aClaim, formOf } from '../http/things.ts'

const aJpeg = (width = 60, height = 40) =>
  sharp({ create: { width, height, channels: 3, background: 'orange' } })
    .withExif({
      IFD0: { Copyright: 'serial-4711', ImageDescription: 'gps 52.5 13.4' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 30/1 0/1' },
    })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()

/** A PNG by hand, as a parser finds it; `says` are its dimensions, whatever pixels follow. */
function aPng(says: { width: number; height: number }, chunks: [string, Buffer][]): Buffer {
  const chunk = (kind: string, data: Buffer) => {
    const out = Buffer.alloc(12 + data.length)
    out.writeUInt32BE(data.length)
    out.write(kind, 4, 'latin1')
    data.copy(out, 8)
    out.writeUInt32BE(crcOf(out.subarray(4, 8 + data.length)), 8 + data.length)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(says.width)
  head.writeUInt32BE(says.height, 4)
  head[8] = 8
  head[9] = 0
  const all = [['IHDR', head], ...chunks, ['IEND', Buffer.alloc(0)]] as [string, Buffer][]
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    ...all.map(([kind, data]) => chunk(kind, data)),
  ])
}

function crcOf(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

describe('claims: pictures and messages', function () {
  this.timeout(120_000)
  let http: Product
  let winner: string
  let creator: string
  let operator: string
  let eve: string
  let claim_id: string
  before(async () => {
    http = await startProduct({ fresh_ms_max: 0 })
    winner = await http.token('player', { sub: 'winner' })
    creator = await http.token('creator', { sub: 'carla' })
    operator = await http.token('operator')
    eve = await http.token(['player', 'creator'], { sub: 'eve' })
    claim_id = (await aClaim(http)).claim_id
  })
  after(() => http.close())

  const upload = async (
    bytes: Uint8Array | string,
    { token = winner, id = claim_id }: { token?: string; id?: string } = {},
  ) => http.ask('POST', `/api/v1/claims/${id}/proof`, { token, ...(await formOf({ bytes })) })

  const stored = async (id = claim_id) =>
    http.database.query<{ n: number }>('select count(*)::int as n from claim_proofs where claim_id = $1', [
      id,
    ])

  describe('a picture', () => {
    it('S0-37 abuse 111: is encoded anew, turned as the camera says, and nothing else of the file is left', async () => {
      const bytes = Buffer.concat([await aJpeg(), Buffer.from('<script>alert(1)</script>PK\x03\x04')])
      assert.ok(bytes.includes('serial-4711'))
      const answer = await upload(bytes)
      assert.equal(answer.status, 201, answer.text)
      assert.deepEqual([answer.body.side, answer.body.width, answer.body.height], ['winner', 40, 60])
      const response = await fetch(http.url + answer.body.url, {
        headers: { authorization: `Bearer ${creator}` },
      })
      const picture = Buffer.from(await response.arrayBuffer())
      assert.equal(response.headers.get('content-type'), 'image/webp')
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
      assert.equal(response.headers.get('content-security-policy'), "default-src 'none'; sandbox")
      assert.match(response.headers.get('content-disposition')!, /^inline; filename=/)
      for (const left of ['serial-4711', 'gps', 'script', 'PK\x03\x04', 'Exif'])
        assert.ok(!picture.includes(left), left)
      const seen = await sharp(picture).metadata()
      assert.deepEqual(
        [seen.format, seen.exif, seen.xmp, seen.icc],
        ['webp', undefined, undefined, undefined],
      )
      assert.equal(picture.length, answer.body.byte_count)
    })

    it('S0-37 abuse 113: is not there for a stranger, for another tenant, or under another claim; staff waits for a complaint', async () => {
      const { body } = await upload(await aJpeg(), { token: creator })
      const other = await aClaim(http)
      const ask = async (url: string, token: string) => (await http.ask('GET', url, { token })).status
      assert.equal(await ask(body.url, winner), 200)
      assert.equal(await ask(body.url, eve), 404)
      assert.equal(await ask(body.url, operator), 404)
      assert.equal(await ask(body.url, await http.token('player', { sub: 'winner', tenant: 'other' })), 404)
      assert.equal(await ask(body.url.replace(claim_id, other.claim_id), winner), 404)
      assert.equal((await upload(await aJpeg(), { token: eve })).status, 404)
    })

    const refused: [string, () => Promise<Uint8Array | string> | Uint8Array | string, number, string][] = [
      ['of no bytes', () => '', 422, 'picture_refused'],
      ['that is text', () => 'just text', 422, 'picture_refused'],
      [
        'that is an SVG',
        () => '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
        422,
        'picture_refused',
      ],
      ['that is a page behind the bytes of a GIF', () => 'GIF89a<html>', 422, 'picture_refused'],
      ['that is a PDF', () => '%PDF-1.7\n', 422, 'picture_refused'],
      ['that is cut off', async () => (await aJpeg(900, 900)).subarray(0, 400), 422, 'picture_refused'],
      [
        'whose first bytes alone are a JPEG',
        () => Buffer.from('ffd8ff0000000000', 'hex'),
        422,
        'picture_refused',
      ],
      [
        'that unpacks to four billion pixels',
        () => aPng({ width: 65_500, height: 65_500 }, [['IDAT', deflateSync(Buffer.alloc(1_000_000))]]),
        422,
        'picture_refused',
      ],
      [
        'that moves (PNG)',
        () =>
          aPng({ width: 2, height: 2 }, [
            ['acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])],
            ['IDAT', deflateSync(Buffer.alloc(6))],
          ]),
        422,
        'picture_refused',
      ],
      [
        'that moves (WebP)',
        () =>
          sharp(Buffer.concat([Buffer.alloc(300, 10), Buffer.alloc(300, 200)]), {
            raw: { width: 10, height: 20, channels: 3, pageHeight: 10 },
          })
            .webp({ loop: 0, delay: [100, 100] })
            .toBuffer(),
        422,
        'picture_refused',
      ],
      ['of 5 MB and a byte', () => Buffer.alloc(PICTURE_BYTES_MAX + 1, 1), 413, 'body_too_large'],
      ['of 10 MB and a byte', () => Buffer.alloc(10 * 1024 * 1024 + 1, 1), 413, 'body_too_large'],
    ]
    for (const [what, make, status, code] of refused) {
      it(`S0-08 abuse 109: a file ${what} is refused with ${code} and nothing is kept`, async () => {
        const before = await stored()
        const answer = await upload(await make())
        assert.deepEqual([answer.status, answer.body.code], [status, code])
        assert.doesNotMatch(answer.text, /vips|sharp|libpng/i)
        assert.deepEqual(await stored(), before)
      })
    }

    it('S0-08 abuse 109: a body without its end, of ten thousand parts, of two files, of a field, or of JSON is refused', async () => {
      const file = await formOf({ bytes: await aJpeg() })
      const boundary = /boundary=(.+)$/.exec(file.headers['content-type'])![1]!
      const part = `--${boundary}\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nx\r\n`
      const form = new FormData()
      form.append('file', 'text and no file')
      const field = new Response(form)
      const send = (text: Uint8Array | string, headers: Record<string, string> = file.headers) =>
        http.ask('POST', `/api/v1/claims/${claim_id}/proof`, { token: winner, text, headers })
      const answers = [
        await send(file.text.subarray(0, file.text.length - 20)),
        await send(`${part.repeat(10_000)}--${boundary}--\r\n`),
        await send(`${part.repeat(2)}--${boundary}--\r\n`),
        await send(new Uint8Array(await field.arrayBuffer()), {
          'content-type': field.headers.get('content-type')!,
        }),
        await send('nonsense'),
      ]
      assert.deepEqual(
        answers.map(({ status, body }) => [status, body.code]),
        Array(5).fill([400, 'upload_invalid']),
      )
      const json = await http.ask('POST', `/api/v1/claims/${claim_id}/proof`, { token: winner, json: {} })
      assert.deepEqual([json.status, json.body.code], [415, 'unsupported_media_type'])
    })

    it('S0-37 each side has its own number of pictures, also when all come at once', async () => {
      const { claim_id: id } = await aClaim(http)
      const bytes = await aJpeg()
      const answers = await Promise.all(
        Array.from({ length: PROOFS_PER_SIDE + 2 }, () => upload(bytes, { id })),
      )
      const codes = answers.map(({ status, body }) => (status === 201 ? 'ok' : body.code)).sort()
      assert.deepEqual(codes, [...Array(PROOFS_PER_SIDE).fill('ok'), 'proofs_full', 'proofs_full'])
      assert.equal((await upload(bytes, { id, token: creator })).status, 201)
    })

    it('S0-37 a claim that is completed takes none, over HTTP and by SQL, and those that are there stay', async () => {
      const { claim_id: id } = await aClaim(http)
      await upload(await aJpeg(), { id })
      await http.ask('POST', `/api/v1/claims/${id}/confirm`, { token: winner })
      const late = await upload(await aJpeg(), { id })
      assert.deepEqual([late.status, late.body.code], [409, 'claim_not_open'])
      for (const sql of [
        `insert into claim_proofs select gen_random_uuid(), tenant_id, claim_id, side, 2, uploaded_by, width, height, byte_count,
           picture_hash, picture, created_at from claim_proofs where claim_id = $1`,
        `update claim_proofs set side = 'creator' where claim_id = $1`,
        'delete from claim_proofs where claim_id = $1',
      ])
        await assert.rejects(http.database.query(sql, [id]), /takes nothing more|append-only/)
    })
  })

  describe('messages', () => {
    const write = (token: string, message: string, id = claim_id) =>
      http.ask('POST', `/api/v1/claims/${id}/messages`, { token, json: { message } })
    const read = (token: string, query = '', id = claim_id) =>
      http.ask('GET', `/api/v1/claims/${id}/messages${query}`, { token })

    it('S0-15 both sides write and read, each is told, and pages go on without gap or repeat', async () => {
      for (const [token, text] of [
        [winner, 'When can I come?'],
        [creator, 'Saturday.'],
        [winner, 'Fine.'],
      ] as const)
        assert.equal((await write(token, text)).status, 201)
      const first = await read(creator, '?limit=2')
      const second = await read(creator, `?limit=2&cursor=${first.body.next_cursor}`)
      const all = [...first.body.data, ...second.body.data]
      assert.deepEqual(
        all.map((each: any) => [each.message, each.side, each.is_mine]),
        [
          ['Fine.', 'winner', false],
          ['Saturday.', 'creator', true],
          ['When can I come?', 'winner', false],
        ],
      )
      const told = (await http.ask('GET', '/api/v1/me/notifications?unread=1', { token: winner })).body
      const note = told.data.find((each: any) => each.kind === 'claim_message')
      assert.deepEqual([note.data.text, note.data.claim_id, note.is_read], ['Saturday.', claim_id, false])
    })

    it('S0-22 abuse 117: who is no side gets 403, staff too while nobody complained, and writes nothing', async () => {
      for (const token of [eve, operator]) {
        assert.deepEqual(
          [(await read(token)).status, (await read(token)).body.code],
          [403, 'not_claim_party'],
        )
        assert.equal((await write(token, 'Hello')).status, 403)
      }
    })

    it('S0-22 abuse 117: after the claim ended nothing is written and everything stays readable', async () => {
      const { claim_id: id } = await aClaim(http)
      await write(winner, 'Hello', id)
      await http.ask('POST', `/api/v1/claims/${id}/confirm`, { token: winner })
      assert.equal((await write(winner, 'Again', id)).body.code, 'claim_not_open')
      assert.equal((await read(creator, '', id)).body.data.length, 1)
    })

    for (const [what, message] of [
      ['empty', '   '],
      ['too long', 'x'.repeat(2_001)],
      ['with control characters', 'a\u0007b'],
    ] as const) {
      it(`S0-15 a message that is ${what} is refused`, async () => {
        assert.deepEqual([(await write(winner, message)).status], [400])
      })
    }

    it('S0-15 somebody who writes without end is slowed down', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => write(creator, `${i}`)))
      const statuses = new Set(answers.map(({ status }) => status))
      assert.deepEqual([...statuses].sort(), [201, 429])
    })
  })
})
