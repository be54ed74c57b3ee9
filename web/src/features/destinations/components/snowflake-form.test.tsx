import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { ApiError } from '@/repo/api-error'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { Destination } from '@/repo/types'
import type { DestinationFormProps } from './postgres-form'
import { SnowflakeForm } from './snowflake-form'

const CONFIG = {
  snowflake_account: 'org-acct',
  snowflake_user: 'LOADER',
  snowflake_database: 'LANDING',
  snowflake_schema: 'PUBLIC',
}

const SAVED = {
  id: 9,
  name: 'analytics',
  type: 'SNOWFLAKE',
  config: { ...CONFIG, snowflake_role: 'LOADING' },
  secrets: { snowflake_private_key: true, snowflake_private_key_passphrase: true },
} as unknown as Destination

function opened(saved?: Destination) {
  const onSave = vi.fn<DestinationFormProps['onSave']>()
  render(
    <QueryClientProvider client={createQueryClient()}>
      <SnowflakeForm saved={saved} action="Save" pending={false} error={null} onSave={onSave} />
    </QueryClientProvider>,
  )
  return { user: userEvent.setup(), onSave }
}

const FILLED = {
  Name: 'analytics',
  Account: 'org-acct',
  User: 'LOADER',
  Database: 'LANDING',
  Schema: 'PUBLIC',
}

async function fill(user: ReturnType<typeof userEvent.setup>, values: Record<string, string>) {
  for (const [label, text] of Object.entries(values)) {
    await user.click(screen.getByLabelText(label))
    await user.paste(text)
  }
}

it.each([
  ['a PEM file', '-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----'],
  [
    'PEM whose lines an environment variable joined',
    '-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQ\\n-----END RSA PRIVATE KEY-----',
  ],
  ['its base64 alone', 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj'],
])('hands on %s as it is: which keys are good, the backend knows', async (_, key) => {
  const { user, onSave } = opened()
  await fill(user, { ...FILLED, 'Private key': key })
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(onSave).toHaveBeenCalledExactlyOnceWith(
    {
      name: 'analytics',
      type: 'SNOWFLAKE',
      config: { ...CONFIG, snowflake_private_key: key },
    },
    expect.any(Function),
  )
})

it('asks for a key where there is none, and says so at its field', async () => {
  const { user, onSave } = opened()
  await fill(user, FILLED)
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(screen.getByLabelText('Private key')).toBeInvalid()
  expect(screen.getByLabelText('Private key')).toHaveAccessibleDescription('This is needed')
  expect(onSave).not.toHaveBeenCalled()
})

it('leaves a saved key as it is, shows none of it, and takes an emptied setting away', async () => {
  const { user, onSave } = opened(SAVED)
  expect(screen.getByLabelText('Private key')).toHaveValue('')
  expect(screen.getByLabelText(/Passphrase/)).toHaveValue('')
  await user.clear(screen.getByLabelText(/Role/))
  await user.click(screen.getByRole('button', { name: 'Save' }))
  const [{ config } = { config: {} }] = onSave.mock.calls[0] ?? []
  expect(config).toMatchObject({ snowflake_account: 'org-acct', snowflake_role: null })
  expect(Object.keys(config).filter((key) => key.includes('private_key'))).toEqual([])
})

it.each([
  ['KEY_PASSPHRASE_WRONG', /Passphrase/],
  ['KEY_IS_PUBLIC', 'Private key'],
  ['ACCOUNT_NOT_FOUND', 'Account'],
  ['ROLE_NOT_GRANTED', /Role/],
])('puts a refusal with %s at its field', async (code, label) => {
  const { user } = opened()
  vi.spyOn(api, 'post').mockRejectedValue(new ApiError(422, code, 'It is not so.', 'Mend it.'))
  await fill(user, { ...FILLED, 'Private key': 'MIIEvQ' })
  await user.click(screen.getByRole('button', { name: 'Test the connection' }))
  expect(await screen.findByLabelText(label)).toHaveAccessibleDescription('It is not so.')
  expect(screen.getByText('Mend it.')).toBeVisible()
})
