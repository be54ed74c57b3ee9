import { expect, it } from 'vitest'
import { safePath } from './safe-path'

it.each([
  [undefined, '/'],
  ['/pipelines/3?tab=dlq', '/pipelines/3?tab=dlq'],
  ['https://evil.example', '/'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['/sign-in?next=/', '/'],
  ['/first-sign-in#token=x', '/'],
])('%s leads to %s', (path, target) => expect(safePath(path)).toBe(target))
