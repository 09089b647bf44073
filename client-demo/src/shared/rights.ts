/** What the owner of a token may do at the desks. */
import type { Bearer } from '../shared/bearer.ts'

export const handsOver = ({ roles }: Bearer): boolean => roles.some((role) => HANDING_OVER.includes(role))
export const decides = ({ roles }: Bearer): boolean => roles.includes('operator')
export const watches = ({ roles }: Bearer): boolean => roles.some((role) => WATCHING.includes(role))

const HANDING_OVER = ['creator', 'operator']
const WATCHING = ['operator', 'auditor']
