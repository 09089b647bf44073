/** The refusals that the port itself gives, before any listener: code, status and sentence, as problem+json. */

const TITLES: Record<string, [status: number, title: string]> = {
  invalid_request: [400, 'The request line or a header is not one that this server takes.'],
  forbidden_origin: [403, 'This origin may not open a connection.'],
  not_found: [404, 'There is nothing here.'],
  length_required: [411, 'The body needs a Content-Length.'],
  body_too_large: [413, 'The body is larger than this operation accepts.'],
  unsupported_media_type: [415, 'The body must be plain application/json.'],
  quota_exceeded: [429, 'Too many connections, seats or rooms.'],
  headers_too_large: [431, 'Too many headers.'],
}

/** Status and problem+json body of one of these codes. */
export function problemOf(code: string): { status: number; body: string } {
  const [status, title] = TITLES[code]!
  return { status, body: JSON.stringify({ type: 'about:blank', title, status, detail: title, code }) }
}
