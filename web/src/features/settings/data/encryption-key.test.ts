import { expect, it } from 'vitest'
import type { EncryptionKey } from '@/repo/types'
import { keyState } from './encryption-key'

const NONE = { current: 0, previous: 0, unknown: 0 }
const KEY: EncryptionKey = {
  key_id: '3f2a9c0d1e4b5a67',
  previous_key_ids: [],
  rotated_at: null,
  secrets: { ...NONE, current: 3 },
  payloads: NONE,
  waiting: 0,
}

it('is content when everything is under the key in use', () => {
  expect(keyState(KEY)).toEqual([
    { tone: 'success', text: 'Everything that is sealed is sealed under this key.' },
  ])
})

it('says what a rotation would move, what is lost, and what a former key is needed for, the worst first', () => {
  const states = keyState({
    ...KEY,
    secrets: { current: 1, previous: 1, unknown: 1 },
    payloads: { ...NONE, previous: 1200 },
    waiting: 1,
  })
  expect(states.map(({ tone }) => tone)).toEqual(['danger', 'warning', 'warning'])
  const [lost, former, waiting] = states.map(({ text }) => text)
  expect(lost).toMatch(/^1 item can be opened by no key/)
  expect(former).toMatch(/^1,201 items can be opened only by a former key. Run rosetta rotate-key/)
  expect(waiting).toMatch(/^1 open record of the dead letter queue/)
})
