/** Seed pairs: promised before they are shown, revealed whole, and never open before that. */
import assert from 'node:assert/strict'
import { jcs } from '../../src/fairness/canonical.ts'
import { checkCommitJws, commitHash, seedHash } from '../../src/fairness/commit.ts'
import { openCheckpoint } from '../../src/fairness/merkle.ts'
import { verifyPairReveal, verifyText, verifyTranscript } from '../../src/fairness/verify.ts'
import { spinBatch } from '../../src/games/wheel/spin.ts'
import { checkSeedKeys } from '../../src/keyfiles.ts'
import { originOf } from '../../src/proofs/checkpoints.ts'
import { makeFairKeys } from '../../src/proofs/keys.ts'
import { makePairKeys } from '../../src/proofs/pair-keys.ts'
import { ensurePairs } from '../../src/proofs/pairs.ts'
import { resealSeeds } from '../../src/proofs/reseal.ts'
import { readPairReveal, readTranscript } from '../../src/proofs/transcripts.ts'
import { codesOf, refusalOf, type Stage, startStage, tally } from '../games/kit.ts'

let stage: Stage

describe('proofs of spins', () => {
  beforeEach(async () => {
    stage = await startStage()
  })
  afterEach(async () => {
    await stage.close()
  })

  const times = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i))
  const alice = () => stage.actor('alice')

  /** What somebody brings along who trusts nothing that the server says later. */
  function verifier() {
    const origin = originOf(stage.tenants.get('demo')!)
    return {
      keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') },
      logs: [stage.keys.verifierKey(origin)],
    }
  }

  const transcriptOf = (event_id: string) => stage.inTenant((tx) => readTranscript(tx, { event_id }))
  const revealOf = (commit_hash: string) => stage.inTenant((tx) => readPairReveal(tx, { commit_hash }))
  const checkpoint = () => stage.checkpoints.make(stage.tenants.get('demo')!)

  async function spins(wheel_id: string, count: number, prefix = 'r', client_entropy?: string) {
    const replies = await Promise.all(
      times(count, (i) =>
        stage.wheel.spin(alice(), {
          wheel_id,
          request_id: `${prefix}-${i}`,
          ...(client_entropy && { client_entropy }),
        }),
      ),
    )
    return replies.map((reply) => reply.answer)
  }

  describe('a seed pair', () => {
    it('P-41 both commitments are signed, logged and under a checkpoint before they are shown', async () => {
      await stage.aWheel()
      const { current, next } = await stage.wheel.seedPair(alice(), 'summer')
      const note = stage.checkpoints.latest(stage.tenants.get('demo')!)!
      const { size } = openCheckpoint(note, verifier().logs)
      for (const { commit_hash, doc, jws } of [current, next]) {
        assert.equal(commitHash(doc), commit_hash)
        assert.ok(checkCommitJws(jws, doc, verifier().keys))
        const [event] = await stage.rows(
          `select seq from fair_log where commit_hash = $1 and type = 'commit'`,
          [commit_hash],
        )
        assert.ok(event.seq < size)
      }
      assert.deepEqual([current.seq, next.seq], [1, 2])
      assert.deepEqual([current.client_seed, current.next_nonce], ['-', 0])
      assert.equal(current.doc.holder, next.doc.holder)
      assert.notEqual(current.doc.seedHash, next.doc.seedHash)
    })

    it('P-41 showing it again shows the same, and another player has another', async () => {
      await stage.aWheel()
      const first = await stage.wheel.seedPair(alice(), 'summer')
      assert.deepEqual(await stage.aProcess().wheel.seedPair(alice(), 'summer'), first)
      const bob = await stage.wheel.seedPair(stage.actor('bob'), 'summer')
      assert.notEqual(bob.current.commit_hash, first.current.commit_hash)
      assert.notEqual(bob.current.doc.holder, first.current.doc.holder)
    })

    it('P-41 a player sets a seed, the next spin uses it, and the old pair is revealed with all its nonces', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 20)
      const before = await stage.wheel.seedPair(alice(), 'summer')
      const played = await spins(wheel_id, 7, 'a', 'entropy-of-alice-1')
      const rotated = await stage.wheel.rotate(alice(), 'summer', {
        client_seed: 'a-seed-of-alice',
        next_commit_hash: before.next.commit_hash,
      })

      assert.equal(rotated.revealed.commit_hash, before.current.commit_hash)
      assert.equal(rotated.revealed.spins, 7)
      assert.equal(seedHash(Buffer.from(rotated.revealed.server_seed, 'hex')), before.current.doc.seedHash)
      assert.equal(rotated.current.commit_hash, before.next.commit_hash)
      assert.deepEqual(
        [rotated.current.client_seed, rotated.current.next_nonce, rotated.next.seq],
        ['a-seed-of-alice', 0, 3],
      )

      const reveal = JSON.parse(await revealOf(before.current.commit_hash))
      assert.deepEqual(
        reveal.spins.map((spin: any) => spin.nonce),
        times(7, (i) => i),
      )
      const known = played.map(({ nonce, segment }) => ({
        nonce,
        entropy: 'entropy-of-alice-1',
        result: segment,
      }))
      const verdict = verifyPairReveal(reveal, { ...verifier(), known })
      assert.deepEqual([verdict.status, verdict.trust], ['verified', 'commit'])

      const [next] = await spins(wheel_id, 1, 'b')
      assert.deepEqual([next!.nonce, next!.commit_hash], [0, rotated.current.commit_hash])
      const logged = await stage.rows(
        `select event from fair_log where type = 'client' and commit_hash = $1`,
        [next!.commit_hash],
      )
      assert.equal(JSON.parse(logged[0].event).clientSeed, 'a-seed-of-alice')
      await stage.assertClean()
    })

    it('P-41 a seed that was chosen for another next commitment is refused', async () => {
      await stage.aWheel()
      const { next } = await stage.wheel.seedPair(alice(), 'summer')
      await stage.wheel.rotate(alice(), 'summer', { client_seed: 'first-seed' })
      const stale = stage.wheel.rotate(alice(), 'summer', {
        client_seed: 'second-seed',
        next_commit_hash: next.commit_hash,
      })
      assert.equal((await refusalOf(stale)).code, 'seed_pair_replaced')
    })

    it('P-41 a rotation that is asked for again with its request_id happens once and shows the same secret', async () => {
      await stage.aWheel()
      const ask = (client_seed: string) =>
        stage.wheel.rotate(alice(), 'summer', { client_seed, request_id: 'rotate-1' })
      const [first, again] = [await ask('first-seed'), await ask('first-seed')]
      assert.deepEqual(again, first)
      assert.equal((await refusalOf(ask('another-seed'))).code, 'idempotency_key_reused')
      const revealed = await stage.rows(`select id from fair_seeds where seed_status = 'revealed'`)
      assert.equal(revealed.length, 1)
      await stage.assertClean()
    })

    it('P-41 nothing is drawn from a first pair before a checkpoint covers its commitment', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 1)
      const head = (await stage.wheel.find(alice(), 'summer'))!
      const version = await stage.inTenant((tx) => stage.wheel.versions.of(tx, wheel_id, head.config_version))
      const binding = {
        gameId: wheel_id,
        kind: 'wheel' as const,
        config_version: head.config_version,
        config_text: version.config_text,
        config_hash: version.config_hash,
      }
      await stage.inTenant((tx) => ensurePairs(tx, [{ user_id: 'alice', binding }]))
      const memory = { versions: stage.wheel.versions, pairs: makePairKeys(), playIds: [] }
      const input = { actor: alice(), wheel_id, request_id: 'early', client_entropy: '-' }
      const spinOnce = async () => (await stage.inTenant((tx) => spinBatch(tx, [input], memory)))[0]!
      const early = await spinOnce()
      assert.ok('refusal' in early && early.refusal.code === 'seed_pair_not_found')
      await checkpoint()
      assert.ok('answer' in (await spinOnce()))
      await stage.assertClean()
    })

    it('P-41 of two rotations for the same next commitment at two processes one wins and the other is told that it was replaced', async () => {
      await stage.aWheel()
      const other = stage.aProcess()
      for (const round of times(8, (i) => i)) {
        const { next } = await stage.wheel.seedPair(alice(), 'summer')
        const settled = await Promise.allSettled(
          [stage.wheel, other.wheel].map((wheel, i) =>
            wheel.rotate(alice(), 'summer', {
              client_seed: `seed-${round}-${i}`,
              next_commit_hash: next.commit_hash,
            }),
          ),
        )
        assert.deepEqual(tally(codesOf(settled)), { ok: 1, seed_pair_replaced: 1 })
      }
      await stage.assertClean()
    })

    it('P-41 a pair that the server closes is revealed, and its successor starts with - and not with the old seed', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 5)
      const { current } = await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      await spins(wheel_id, 2)
      await stage.wheel.publish(stage.boss(), 'summer')
      await spins(wheel_id, 1, 'after')
      const after = await stage.wheel.seedPair(alice(), 'summer')
      assert.equal(after.current.client_seed, '-')
      assert.notEqual(after.current.commit_hash, current.commit_hash)
      assert.deepEqual(JSON.parse(await revealOf(current.commit_hash)).spins.length, 2)
      const open = await stage.rows(
        `select seed_status, count(*)::int as n from fair_seeds group by 1 order by 1`,
      )
      assert.deepEqual(open, [
        { seed_status: 'active', n: 1 },
        { seed_status: 'next', n: 1 },
        { seed_status: 'revealed', n: 3 },
      ])
      await stage.assertClean()
    })

    it('P-41 numbers of commitments run on without gap through rotations and closures', async () => {
      await stage.aWheel()
      await stage.wheel.seedPair(alice(), 'summer')
      for (const i of times(3, (n) => n)) {
        await stage.wheel.rotate(alice(), 'summer', { client_seed: `a-seed-of-alice-${i}` })
        await stage.wheel.publish(stage.boss(), 'summer')
        await stage.wheel.seedPair(alice(), 'summer')
      }
      const rows = await stage.rows(`select seq from fair_commitments where kind = 'wheel' order by seq`)
      assert.deepEqual(
        rows.map((row) => row.seq),
        times(rows.length, (i) => i + 1),
      )
      await stage.assertClean()
    })
  })

  describe('the transcript of a spin', () => {
    it('S1-18 is pending before the reveal and verified after it, with keys and log keys, and says how it is trusted', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 5)
      const [plain] = await spins(wheel_id, 1, 'plain')
      const [own] = await spins(wheel_id, 1, 'own', 'entropy-of-alice-1')
      await checkpoint()
      const before = verifyText(await transcriptOf(own!.spin_id), verifier())
      assert.deepEqual([before.status, before.code], ['pending', 'NOT_YET_REVEALED'])
      assert.equal(before.steps.find((step) => step.id === 'log')!.status, 'ok')

      await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      for (const [answer, trust] of [
        [own!, 'commit'],
        [plain!, 'operator'],
      ] as const) {
        const text = await transcriptOf(answer.spin_id)
        assert.equal(jcs(JSON.parse(text)), text)
        const verdict = verifyText(text, verifier())
        assert.deepEqual([verdict.status, verdict.trust], ['verified', trust])
        assert.ok(
          verdict.steps.every((step) => step.status === 'ok' || ['beacon', 'entries'].includes(step.id)),
        )
      }
    })

    it('S1-11v fails if the odds differ by one unit, or anything else was touched', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 1)
      const [answer] = await spins(wheel_id, 1, 'r', 'entropy-of-alice-1')
      await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      const transcript = JSON.parse(await transcriptOf(answer!.spin_id))
      const tampers: [string, (t: any) => void][] = [
        ['CONFIG_MISMATCH', (t) => (t.config.segments[0].weight += 1)],
        [
          'SEED_MISMATCH',
          (t) => (t.serverSeed = t.serverSeed.replace(/^./, (c: string) => (c === '0' ? '1' : '0'))),
        ],
        ['CTX_MISMATCH', (t) => (t.client.nonce = 1)],
        [
          'OUTCOME_MISMATCH',
          (t) => (t.outcome = { id: t.config.segments[1 - t.outcome.index].id, index: 1 - t.outcome.index }),
        ],
        ['SIGNATURE_INVALID', (t) => (t.commit.jws = t.commit.jws.slice(0, -4))],
        ['COMMIT_MISMATCH', (t) => (t.commit.doc.seq = 9)],
        ['TRUST_MISMATCH', (t) => (t.trust = 'beacon')],
      ]
      for (const [code, tamper] of tampers) {
        const changed = structuredClone(transcript)
        tamper(changed)
        assert.equal(verifyTranscript(changed, verifier()).code, code)
      }
    })

    it('S1-18 what was given instead of an exhausted prize is told beside the outcome, which stays', async () => {
      const wheel_id = await stage.aWheel({
        rewards: [
          { slug: 'car', probability: '1', prize: { stock: 0 } },
          { slug: 'points', probability: '0', prize: {} },
        ],
        spin: { on_exhausted: null },
        is_published: false,
      })
      await stage.edit('summer', {
        rewards: [
          {
            reward_slug: 'car',
            reward_label: 'Car',
            probability: '0.9',
            reward_color: null,
            reward_description: null,
            per_user_limit: null,
            prize_id: (await stage.rows('select id from gamification_prizes where stock = 0'))[0].id,
          },
          {
            reward_slug: 'points',
            reward_label: 'Points',
            probability: '0.1',
            reward_color: null,
            reward_description: null,
            per_user_limit: null,
            prize_id: (await stage.rows('select id from gamification_prizes where stock is null'))[0].id,
          },
        ],
        spin_config: { on_exhausted: 'points' },
      })
      await stage.wheel.publish(stage.boss(), 'summer')
      await stage.grant('alice', 20)
      const answers = await spins(wheel_id, 20)
      const substituted = answers.find((answer) => answer.award.status === 'substituted')!
      await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      const transcript = JSON.parse(await transcriptOf(substituted.spin_id))
      assert.equal(transcript.outcome.id, 'car')
      assert.deepEqual(transcript.award, {
        event_id: substituted.spin_id,
        reward: 'points',
        status: 'substituted',
      })
      assert.equal(verifyTranscript(transcript, verifier()).status, 'verified')
    })

    it('K-04 the same seed and inputs replay a whole pair to identical results', async () => {
      const wheel_id = await stage.aWheel({
        rewards: times(7, (i) => ({
          slug: `s${i}`,
          probability: ['0.000001', '0.1', '0.2', '0.3', '0.15', '0.149999', '0.1'][i]!,
        })),
      })
      await stage.grant('alice', 200)
      const { current } = await stage.wheel.seedPair(alice(), 'summer')
      const answers = await spins(wheel_id, 200)
      await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      const known = answers.map(({ nonce, segment }) => ({ nonce, entropy: '-', result: segment }))
      assert.equal(
        verifyText(await revealOf(current.commit_hash), { ...verifier(), known }).status,
        'verified',
      )
    })
  })

  describe('seeds before their reveal', () => {
    it('S0-24 I30 stand in no row, answer or event in any form; after it they stand where they were promised', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 10)
      const { current, next } = await stage.wheel.seedPair(alice(), 'summer')
      const said: unknown[] = [current, next]
      stage.app.followAll((event) => void said.push(event))
      said.push(...(await spins(wheel_id, 10)), await stage.wheel.snapshot(alice(), 'summer'))
      await stage.wheel.openRound(stage.boss(), 'summer')
      for (const answer of (await stage.rows('select id from spin_sessions')).map((row) => row.id))
        said.push(await transcriptOf(answer))

      const seeds = (await stage.rows('select game_id, seed_hash, sealed_seed from fair_seeds')).map((row) =>
        stage.keys.open(row.sealed_seed, { gameId: row.game_id, seedHash: row.seed_hash }),
      )
      assert.equal(seeds.length, 3)
      const tables = await stage.rows(
        `select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
      )
      const texts = [JSON.stringify(said)]
      for (const { table_name } of tables)
        texts.push(JSON.stringify(await stage.rows(`select t::text as row from ${table_name} t`)))
      for (const seed of seeds) {
        for (const form of [
          seed.toString('hex'),
          seed.toString('base64').slice(0, 42),
          seed.toString('base64url').slice(0, 42),
          seed.toString('latin1'),
          JSON.stringify([...seed]).slice(1, -1),
        ]) {
          for (const text of texts)
            assert.ok(!text.toLowerCase().includes(form.toLowerCase()), `a seed was found as ${form}`)
        }
      }
      const { revealed } = await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      assert.ok(seeds.some((seed) => seed.toString('hex') === revealed.server_seed))
    })

    it('P-41 a reveal is refused before its time and unknown ones are not found', async () => {
      await stage.aWheel()
      const { current, next } = await stage.wheel.seedPair(alice(), 'summer')
      for (const { commit_hash } of [current, next])
        assert.equal((await refusalOf(revealOf(commit_hash))).code, 'not_yet_revealed')
      assert.equal((await refusalOf(revealOf('0'.repeat(64)))).code, 'not_found')
    })

    it('S0-26 hash, seed, client seed and nonce of a pair cannot be changed or deleted, also by the owner in SQL', async () => {
      await stage.aWheel()
      await stage.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      const attempts = [
        `update fair_seeds set seed_hash = repeat('0', 64)`,
        `update fair_seeds set client_seed = 'another-seed' where seed_status = 'active'`,
        `update fair_seeds set server_seed = repeat('0', 64) where seed_status = 'revealed'`,
        `update fair_seeds set seed_status = 'next' where seed_status = 'active'`,
        `update fair_seeds set next_nonce = -1 where seed_status = 'active'`,
        `delete from fair_seeds`,
      ]
      for (const sql of attempts)
        await assert.rejects(stage.rows(sql), /cannot be changed|check constraint/, sql)
      const inside = [
        ...attempts.slice(0, 5),
        `update fair_commitments set doc = '{}'`,
        `delete from fair_commitments`,
        `update wheel_versions set config = '{}'`,
        `update spin_results set roll = 0, nonce = 7`,
      ]
      for (const sql of inside)
        await assert.rejects(
          stage.inTenant((tx) => tx.rows(sql)),
          /cannot be changed|check constraint|permission denied|append-only/,
          sql,
        )
      await stage.assertClean()
    })

    it('S0-24 a ciphertext that was moved to another game, altered, or sealed with another key does not open', async () => {
      await stage.aWheel()
      await stage.aWheel({ slug: 'other' })
      await stage.wheel.seedPair(alice(), 'summer')
      const [row] = await stage.rows('select game_id, seed_hash, sealed_seed from fair_seeds limit 1')
      const bound = { gameId: row.game_id, seedHash: row.seed_hash }
      assert.equal(seedHash(stage.keys.open(row.sealed_seed, bound)), row.seed_hash)
      assert.throws(() => stage.keys.open(row.sealed_seed, { ...bound, gameId: 'other' }))
      assert.throws(() => stage.keys.open(row.sealed_seed, { ...bound, seedHash: '0'.repeat(64) }))
      const parts = row.sealed_seed.split('.')
      for (const i of [2, 3, 4]) {
        const changed = [...parts]
        changed[i] = (changed[i][0] === 'A' ? 'B' : 'A') + changed[i].slice(1)
        assert.throws(() => stage.keys.open(changed.join('.'), bound))
      }
      const stranger = makeFairKeys([{ kid: 'k1', key: Buffer.alloc(32, 7) }], stage.signing)
      assert.throws(() => stranger.open(row.sealed_seed, bound))
    })

    it('S0-25 a start with the wrong key is refused, and a process that has it anyway spins nothing', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 5)
      await stage.wheel.seedPair(alice(), 'summer')
      const wrong = stage.aProcess({ seedKeys: [{ kid: 'k1', key: Buffer.alloc(32, 7) }] })
      await assert.rejects(checkSeedKeys(wrong.database, wrong.keys), /do not open the seeds/)
      await assert.rejects(wrong.wheel.spin(alice(), { wheel_id, request_id: 'x' }))
      assert.equal((await stage.rows('select 1 from spin_sessions')).length, 0)
      assert.deepEqual(await stage.wheel.chances(alice(), wheel_id), {
        chances_left: 5,
        next_expires_at: null,
      })
    })

    it('S0-25 a new first key seals every open seed again, after which the old key is not needed and every promise holds', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 10)
      const players = times(110, (i) => stage.actor(`player-${i}`))
      await Promise.all(players.map((player) => stage.wheel.seedPair(player, 'summer')))
      const answers = await spins(wheel_id, 4)
      const fresh = { kid: 'k2', key: Buffer.alloc(32, 9) }
      const both = stage.aProcess({ seedKeys: [fresh, ...stage.seedKeys] })
      const tenant_id = stage.tenants.get('demo')!
      assert.equal(await resealSeeds(both.app, tenant_id), 222)
      assert.equal(await resealSeeds(both.app, tenant_id), 0)
      const [{ n }] = await stage.rows(
        `select count(*)::int as n from fair_seeds where sealed_seed like 'v1.k1.%'`,
      )
      assert.equal(n, 0)

      const only = stage.aProcess({ seedKeys: [fresh] })
      await checkSeedKeys(only.database, only.keys)
      const { answer } = await only.wheel.spin(alice(), { wheel_id, request_id: 'after' })
      assert.equal(answer.nonce, 4)
      await only.wheel.rotate(alice(), 'summer', { client_seed: 'a-seed-of-alice' })
      for (const { spin_id } of [...answers, answer])
        assert.equal(verifyText(await transcriptOf(spin_id), verifier()).status, 'verified')
    })
  })
})
