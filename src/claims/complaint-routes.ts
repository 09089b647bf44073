/** Complaints over HTTP: the winner's form, the creator's answer, the queue of staff. */
import { z } from 'zod'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { answerTo, complain, decideComplaint, listComplaints, readComplaint } from './complaints.ts'
import { COMPLAINT_STATUSES, MESSAGE_LENGTH_MAX, OUTCOMES } from './rules.ts'
import { at, claimParams, complaintExample, complaintFields, exampleId, prose } from './schemas.ts'

const TAGS = ['Complaints']
const params = z.strictObject({ id: z.uuid() })

const ofClaim = {
  claim_id: z.string(),
  game_id: z.string(),
  title: z.string(),
  winner: z.string(),
  creator: z.string(),
}
const ofClaimExample = {
  claim_id: exampleId,
  game_id: exampleId,
  title: 'Guess the weight',
  winner: 'player-7k2mq4',
  creator: 'player-3m9xa8',
}

const fields = {
  ...complaintFields,
  ...ofClaim,
  receipt: z.string().nullable(),
  row_version: z.int(),
}
const example = {
  ...complaintExample,
  ...ofClaimExample,
  receipt: 'eyJhbGciOiJFZERTQSJ9.e30.c2ln',
  row_version: 1,
}
const complaintShape = z.strictObject(fields).meta({ id: 'Complaint', example })

const decidedShape = z
  .strictObject({
    ...fields,
    effect: z.strictObject({ failed_count: z.int(), blocked_until: z.string().nullable() }),
  })
  .meta({
    id: 'ComplaintDecided',
    example: {
      ...example,
      status: 'resolved',
      reviewed_at: at,
      outcome: 'unfulfilled',
      decision_note: 'No proof of sending.',
      resolved_at: at,
      receipt: null,
      row_version: 3,
      effect: { failed_count: 3, blocked_until: at },
    },
  })

const queuedShape = z
  .strictObject({
    ...complaintFields,
    ...ofClaim,
    age_s: z.int(),
    creator_record: z.strictObject({
      completed_count: z.int(),
      failed_count: z.int(),
      fulfilment_bps: z.int().nullable(),
    }),
  })
  .meta({
    id: 'ComplaintQueued',
    example: {
      ...complaintExample,
      ...ofClaimExample,
      age_s: 7_200,
      creator_record: { completed_count: 9, failed_count: 1, fulfilment_bps: 9_000 },
    },
  })

const etag = ({ row_version }: { row_version: number }) => ({ ETag: `"${row_version}"` })

/** `/claims/{id}/complaints` and `/complaints…`. */
export function complaintRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/claims/{id}/complaints',
      summary: 'Complain that the reward did not come',
      description:
        'By the winner, once the claim window is over; one at a time. The answer carries a signed receipt. Pictures may still be added to the claim.',
      tags: TAGS,
      roles: ['player'],
      once: 'optional',
      params: claimParams,
      body: z
        .strictObject({ message: prose(MESSAGE_LENGTH_MAX) })
        .meta({ id: 'ComplaintRequest', example: { message: complaintExample.message } }),
      answer: complaintShape,
      status: 201,
      rate: { points: 20, duration_s: 60 },
      refusals: [
        'complaint_open',
        'claim_not_open',
        'claim_window_open',
        'claim_window_over',
        'not_claim_party',
        'complaints_full',
      ],
      headers: etag,
      run: ({ run, params: { id }, body: { message } }) => run(complain, { claim_id: id, message }),
    }),
    route({
      method: 'get',
      path: '/api/v1/complaints',
      summary: 'The queue of complaints, oldest first',
      description: 'Without a status everything that is not resolved.',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        status: z.enum(COMPLAINT_STATUSES).optional().meta({ example: 'pending' }),
      }),
      answer: listOf(queuedShape, exampleOf(queuedShape)),
      run: ({ run, query: { status, limit, cursor } }) =>
        run(listComplaints, { status: status ?? null, limit, cursor: cursor ?? null }),
    }),
    route({
      method: 'get',
      path: '/api/v1/complaints/{id}',
      summary: 'A complaint, for both sides of its claim and staff',
      description: 'The receipt is its winner’s.',
      tags: TAGS,
      roles: ['player', 'creator', 'operator', 'auditor'],
      params,
      answer: complaintShape,
      headers: etag,
      run: ({ run, params: { id } }) => run(readComplaint, { complaint_id: id }),
    }),
    route({
      method: 'post',
      path: '/api/v1/complaints/{id}/answer',
      summary: 'Answer a complaint',
      description:
        'By the creator or a member of the company, once. Silence past `answer_due_at` counts as a failure.',
      tags: TAGS,
      roles: ['creator', 'operator'],
      params,
      body: z
        .strictObject({ answer: prose(MESSAGE_LENGTH_MAX) })
        .meta({ id: 'ComplaintAnswer', example: { answer: 'It was sent on Monday.' } }),
      answer: complaintShape,
      refusals: ['not_claim_party', 'complaint_not_open'],
      headers: etag,
      run: ({ run, params: { id }, body: { answer } }) => run(answerTo, { complaint_id: id, answer }),
    }),
    route({
      method: 'patch',
      path: '/api/v1/complaints/{id}',
      summary: 'Look at a complaint, then decide it',
      description:
        'pending, reviewed, resolved, one after the other. fulfilled completes the claim, unfulfilled counts against the creator, dismissed lets the claim go on. `effect` is what is left of the creator’s record.',
      tags: TAGS,
      roles: ['operator'],
      if_match: true,
      params,
      body: z
        .discriminatedUnion('status', [
          z.strictObject({ status: z.literal('reviewed') }),
          z.strictObject({
            status: z.literal('resolved'),
            outcome: z.enum(OUTCOMES),
            note: prose(MESSAGE_LENGTH_MAX).optional(),
          }),
        ])
        .meta({
          id: 'ComplaintDecision',
          example: { status: 'resolved', outcome: 'unfulfilled', note: 'No proof of sending.' },
        }),
      answer: decidedShape,
      refusals: ['complaint_not_open', 'second_person_needed', 'precondition_failed'],
      headers: etag,
      run: ({ run, params: { id }, body, if_match }) =>
        run(decideComplaint, { complaint_id: id, decision: body, versions: if_match! }),
    }),
  ]
}
