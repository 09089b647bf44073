/** Who sits at the desk: the bearer of a token that was pasted. It stays in this tab and ends with it. */
import { type Bearer, readBearer } from '../shared/bearer.ts'

const KEY = 'livedraw.desk'

/** Who was at the desk of this tab, if the token still holds. */
export function keptBearer(): Bearer | undefined {
  const bearer = readBearer(sessionStorage.getItem(KEY) ?? '')
  return bearer !== undefined && bearer.expires_at_ms > Date.now() ? bearer : undefined
}

export const keepBearer = ({ token }: Bearer): void => sessionStorage.setItem(KEY, token)
export const forgetBearer = (): void => sessionStorage.removeItem(KEY)

export const handsOver = ({ roles }: Bearer): boolean => roles.some((role) => HANDING_OVER.includes(role))
export const decides = ({ roles }: Bearer): boolean => roles.includes('operator')
export const watches = ({ roles }: Bearer): boolean => roles.some((role) => WATCHING.includes(role))

const HANDING_OVER = ['creator', 'operator']
const WATCHING = ['operator', 'auditor']
