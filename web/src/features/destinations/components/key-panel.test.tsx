import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { KeyPair } from '@/repo/types'
import { KeyPanel } from './key-panel'

const KEY: KeyPair = {
  has_key: true,
  fingerprint: 'SHA256:u8Vd',
  register_sql: "ALTER USER loader SET RSA_PUBLIC_KEY = 'MIIB';",
  rotate_sql: "ALTER USER loader SET RSA_PUBLIC_KEY_2 = 'MIIB';",
  retire_sql: 'ALTER USER loader UNSET RSA_PUBLIC_KEY;',
  retire_rotated_sql: 'ALTER USER loader UNSET RSA_PUBLIC_KEY_2;',
  problem: null,
  remedy: null,
}

async function opened(key: KeyPair) {
  const get = vi.spyOn(api, 'get').mockResolvedValue(key)
  render(
    <QueryClientProvider client={createQueryClient()}>
      <KeyPanel destinationId={9} />
    </QueryClientProvider>,
  )
  await screen.findByRole('heading', { name: 'Key pair' })
  expect(get).toHaveBeenCalledExactlyOnceWith('/destinations/9/key', undefined, expect.anything())
}

it('shows the fingerprint, and each statement under what it does, to be copied', async () => {
  const user = userEvent.setup()
  await opened(KEY)
  expect(screen.getByText('SHA256:u8Vd')).toBeVisible()
  const statements = [KEY.register_sql, KEY.rotate_sql, KEY.retire_sql, KEY.retire_rotated_sql]
  for (const sql of statements) expect(screen.getByText(String(sql))).toBeVisible()
  const [first] = screen.getAllByRole('button', { name: 'Copy' })
  if (first) await user.click(first)
  expect(await navigator.clipboard.readText()).toBe(KEY.register_sql)
})

it('says why a key cannot be read, and what mends it, instead of statements that nobody can run', async () => {
  const none = {
    fingerprint: null,
    register_sql: null,
    rotate_sql: null,
    retire_sql: null,
    retire_rotated_sql: null,
  }
  await opened({ ...KEY, ...none, problem: 'There is no key file.', remedy: 'Correct the path.' })
  expect(screen.getByText('There is no key file. Correct the path.')).toBeVisible()
  expect(screen.queryByRole('button', { name: 'Copy' })).toBeNull()
})
