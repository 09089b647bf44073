/** A wheel from a template: a copy of its config, rules and rewards, which later changes of the template do not reach. */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { fieldErrors } from '../../http/problem.ts'
import type { MadeResource } from '../../http/resource.ts'
import type { Instantiate } from '../../tenants/templates.ts'
import { wheelCreate } from './resource.ts'

/** Refuses invalid_input when template and overrides together are no wheel. */
export function makeWheelInstantiator(wheels: MadeResource) {
  return async (tx: Tx, { template, overrides }: Instantiate): Promise<unknown> => {
    const parsed = wheelCreate.safeParse({
      wheel_config: template['template_config'],
      spin_config: template['game_rules'],
      rewards: template['reward_config'],
      ...overrides,
      game_template_id: template['id'],
    })
    if (!parsed.success) return refuse('invalid_input', { errors: fieldErrors(parsed.error) })
    return wheels.create(tx, { input: parsed.data })
  }
}
