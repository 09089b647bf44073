/** A file in the body of a request: `multipart/form-data` with one part that has a file name, and nothing beside it. */
import express, { type Response as Reply, type Request } from 'express'
import { refuse } from '../errors.ts'

export type Upload = {
  /** Largest body, frame included; the guard of the port has the same number for the path (rooms/guard/limits.ts). */
  bytes_max: number
}

const BOUNDARY = /^multipart\/form-data *;.*\bboundary=("?)([\w'()+,./:=? -]{1,70})\1 *(?:;|$)/i
/** The opening and the closing boundary, and one that may stand inside of a picture by chance or malice. */
const BOUNDARY_COUNT_MAX = 3

/** Reads the one file. Refuses length_required, body_too_large, unsupported_media_type, upload_invalid. */
export async function readUpload(request: Request, reply: Reply, { bytes_max }: Upload): Promise<Uint8Array> {
  if (request.headers['transfer-encoding'] !== undefined) refuse('length_required')
  if (Number(request.headers['content-length'] ?? 0) > bytes_max) refuse('body_too_large')
  const encoding = request.get('content-encoding')
  const media = request.get('content-type') ?? ''
  const boundary = BOUNDARY.exec(media)?.[2]
  if (boundary === undefined || (encoding !== undefined && encoding.toLowerCase() !== 'identity'))
    refuse('unsupported_media_type', { detail: 'Send multipart/form-data, without compression.' })
  await new Promise<void>((resolve, reject) => {
    const read = express.raw({ limit: bytes_max, inflate: false, type: () => true })
    read(request, reply, (error?: unknown) => (error ? reject(error) : resolve()))
  })
  const bytes: unknown = request.body
  if (!Buffer.isBuffer(bytes) || countOf(bytes, `--${boundary}`) > BOUNDARY_COUNT_MAX)
    refuse('upload_invalid')
  return fileIn(bytes, media)
}

/** Counted before they are parsed: ten thousand parts cost nothing here. */
function countOf(bytes: Buffer, text: string): number {
  let count = 0
  for (let at = bytes.indexOf(text); at >= 0 && count <= BOUNDARY_COUNT_MAX; at = bytes.indexOf(text, at + 1))
    count++
  return count
}

async function fileIn(bytes: Buffer, media: string): Promise<Uint8Array> {
  const form = await new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { 'content-type': media } })
    .formData()
    .catch(() => refuse('upload_invalid'))
  const parts = [...form.values()]
  const [file] = parts
  if (parts.length !== 1 || !(file instanceof File)) refuse('upload_invalid')
  return new Uint8Array(await file.arrayBuffer())
}
