/**
 * Pictures that people send, encoded anew: what is kept are pixels, and nothing else of the file. Only the loaders of
 * three formats are switched on, and the first bytes are looked at before any of them.
 */
import sharp from 'sharp'
import { refuse } from '../errors.ts'
import { NODE_HASH } from '../node-hash.ts'
import { PICTURE_BYTES_MAX } from './rules.ts'

/** A phone's photo has 12 to 50 megapixels; a bomb of a few kB says that it has a thousand times as many. */
const PIXELS_MAX = 50_000_000
/** The longer side of what is kept: a serial number stays readable. */
const SIDE_MAX = 2_048
const ENCODE_S_MAX = 10
/** One at a time, so that pictures never take both cores; who comes behind so many others is told to come back. */
const WAITING_MAX = 8

sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
})
sharp.concurrency(1)
sharp.cache(false)

export type Picture = {
  /** WebP without metadata. */
  picture: Buffer
  width: number
  height: number
  byte_count: number
  picture_hash: string
}

/** What a file is by its first bytes, whatever it is called; null for everything that is not kept. */
export function formatOf(bytes: Uint8Array): 'jpeg' | 'png' | 'webp' | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 16)).toString('latin1')
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg'
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  return text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP' ? 'webp' : null
}

/** The chunk that makes a PNG move stands before its pixels. */
function isMovingPng(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 8; at + 8 <= view.length; at += 12 + view.readUInt32BE(at)) {
    const kind = view.toString('latin1', at + 4, at + 8)
    if (kind === 'acTL') return true
    if (kind === 'IDAT') return false
  }
  return false
}

let line: Promise<unknown> = Promise.resolve()
let waiting_count = 0

/**
 * Encodes a picture anew: turned as its camera says, at most 2,048 pixels on a side, WebP. Refuses body_too_large,
 * picture_refused (with the reason), unavailable when too many wait.
 */
export async function encodePicture(bytes: Uint8Array): Promise<Picture> {
  if (bytes.length > PICTURE_BYTES_MAX) refuse('body_too_large')
  if (bytes.length === 0) refuse('picture_refused', { detail: 'The file is empty.' })
  const format = formatOf(bytes)
  if (format === null)
    refuse('picture_refused', { detail: 'By its content it is neither JPEG nor PNG nor WebP.' })
  if (format === 'png' && isMovingPng(bytes)) refuse('picture_refused', { detail: 'It moves.' })
  if (waiting_count >= WAITING_MAX) refuse('unavailable', { retry_after_s: 5 })
  waiting_count++
  const turn = line.then(() => encode(bytes))
  line = turn.catch(() => {})
  try {
    return await turn
  } finally {
    waiting_count--
  }
}

async function encode(bytes: Uint8Array): Promise<Picture> {
  const options = { limitInputPixels: PIXELS_MAX, failOn: 'error', sequentialRead: true } as const
  try {
    const { pages = 1 } = await sharp(bytes, options).metadata()
    if (pages > 1) refuse('picture_refused', { detail: 'It moves.' })
    const { data, info } = await sharp(bytes, options)
      .autoOrient()
      .resize({ width: SIDE_MAX, height: SIDE_MAX, fit: 'inside', withoutEnlargement: true })
      .timeout({ seconds: ENCODE_S_MAX })
      .webp({ quality: 82 })
      .toBuffer({ resolveWithObject: true })
    const { width, height } = info
    return {
      picture: data,
      width,
      height,
      byte_count: data.length,
      picture_hash: Buffer.from(NODE_HASH.sha256(data)).toString('hex'),
    }
  } catch (error) {
    // Whatever the library says about a file, the file is what is wrong; its text names parsers and is not passed on.
    if (error instanceof Error && error.name === 'Refusal') throw error
    return refuse('picture_refused', { detail: 'It is damaged, or larger than 50 megapixels.' })
  }
}
