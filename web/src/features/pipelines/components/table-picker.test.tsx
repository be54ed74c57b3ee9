import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { useState } from 'react'
import { expect, it } from 'vitest'
import type { SourceTable } from '@/repo/types'
import { TablePicker } from './table-picker'

const TABLES: SourceTable[] = Array.from({ length: 10_000 }, (_, number) => ({
  schema_name: 'public',
  table_name: `${number % 100 === 0 ? 'order' : 'other'}_${number}`,
  size_bytes: 1,
  rows_estimated: 1,
  key: ['id'],
  replica_identity: 'd' as const,
  partitioned: false,
  in_publication: true,
}))

function Picker() {
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  return <TablePicker tables={TABLES} picked={picked} onPick={setPicked} />
}

it('picks all that fit the filter out of ten thousand, and draws few of them', async () => {
  const user = userEvent.setup()
  render(<Picker />)
  expect(screen.getAllByRole('checkbox').length).toBeLessThan(100)
  await user.type(screen.getByRole('searchbox'), 'order')
  await user.click(await screen.findByRole('checkbox', { name: 'All 100 that fit' }))
  expect(screen.getByRole('status')).toHaveTextContent('100 of 10,000 chosen')
  await user.clear(screen.getByRole('searchbox'))
  expect(await screen.findByRole('checkbox', { name: 'All 10,000' })).toHaveAttribute(
    'data-state',
    'indeterminate',
  )
})
