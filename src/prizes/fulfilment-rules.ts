/** The life of what is owed to a winner: pending, contacted, claimed, delivered or cancelled. Pure. */

export const FULFILMENT_STATUSES = ['pending', 'contacted', 'claimed', 'delivered', 'cancelled'] as const
export type FulfilmentStatus = (typeof FULFILMENT_STATUSES)[number]

/** Legal steps; migrations/0007_awards.sql has the same table. Delivered and cancelled are ends. */
const STEPS: Record<FulfilmentStatus, readonly FulfilmentStatus[]> = {
  pending: ['contacted', 'claimed', 'delivered', 'cancelled'],
  contacted: ['claimed', 'delivered', 'cancelled'],
  claimed: ['delivered', 'cancelled'],
  delivered: [],
  cancelled: [],
}

/** Whether it may go from one state to the other. */
export function canStep(from: FulfilmentStatus, to: FulfilmentStatus): boolean {
  return STEPS[from].includes(to)
}

const CLAIM = 'claim:'

/** What stands in the place of an order where a prize is claimed and not applied. */
export function claimOrderOf(fulfilment_id: string): string {
  return `${CLAIM}${fulfilment_id}`
}

/** True for what `claimOrderOf` makes. */
export function isClaimOrder(order_id: string): boolean {
  return order_id.startsWith(CLAIM)
}
