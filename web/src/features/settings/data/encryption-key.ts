import { plural } from '@/lib/format'
import type { EncryptionKey } from '@/repo/types'

interface KeyState {
  tone: 'success' | 'warning' | 'danger'
  text: string
}

/** What there is to know of what is sealed, the worst first. */
export function keyState({ secrets, payloads, waiting }: EncryptionKey): KeyState[] {
  const lost = secrets.unknown + payloads.unknown
  const former = secrets.previous + payloads.previous
  const states: KeyState[] = []
  if (lost > 0)
    states.push({
      tone: 'danger',
      text: `${opened(lost)} by no key that is known. Add the key to SECRET_KEY_PREVIOUS, or enter the secrets again.`,
    })
  if (former > 0)
    states.push({
      tone: 'warning',
      text: `${opened(former)} only by a former key. Run rosetta rotate-key to seal them under this one.`,
    })
  if (waiting > 0)
    states.push({
      tone: 'warning',
      text: `${plural(waiting, 'open record')} of the dead letter queue can be found only by a former key: keep that key until they are recovered or discarded.`,
    })
  if (states.length === 0)
    states.push({ tone: 'success', text: 'Everything that is sealed is sealed under this key.' })
  return states
}

function opened(count: number): string {
  return `${plural(count, 'item')} can be opened`
}

/** The steps of a rotation; no data is lost if it ends between any two of them. */
export const ROTATION: { text: string; code?: string }[] = [
  {
    text: 'Make a new key, and keep the one in use as a former one: first in the list, before those that are there already. Restart backend and compute with both settings.',
    code: 'SECRET_KEY=<output of: openssl rand -base64 48>\nSECRET_KEY_PREVIOUS=\'["<the key in use until now>"]\'',
  },
  {
    text: 'With the same two settings and DATABASE_URL, seal everything under the new key. Pipelines go on meanwhile, and it may be repeated.',
    code: 'rosetta rotate-key',
  },
  {
    text: 'Once nothing here needs a former key, take it out of SECRET_KEY_PREVIOUS and restart. Columns masked by hash keep their masks only while the last key of the list stays; without it, their tables have to be copied again.',
  },
]
