import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { ApiError } from '@/repo/api-error'
import { ConfirmDialog } from './confirm-dialog'

it('works only after the name was typed', async () => {
  const user = userEvent.setup()
  const onConfirm = vi.fn()
  render(
    <ConfirmDialog
      open
      onOpenChange={() => undefined}
      title="Delete orders?"
      action="Delete"
      typed="orders"
      pending={false}
      error={null}
      onConfirm={onConfirm}
    >
      The slot is dropped.
    </ConfirmDialog>,
  )
  const button = screen.getByRole('button', { name: 'Delete' })
  expect(button).toBeDisabled()
  await user.type(screen.getByLabelText('Type orders to confirm'), 'order{Enter}')
  expect(onConfirm).not.toHaveBeenCalled()
  await user.type(screen.getByLabelText('Type orders to confirm'), 's')
  await user.click(button)
  expect(onConfirm).toHaveBeenCalledOnce()
})

it('shows why it was not done, and what mends it', () => {
  const error = new ApiError(409, 'ENTITY_IN_USE', 'A pipeline uses it.', 'Delete the pipeline first.')
  render(
    <ConfirmDialog
      open
      onOpenChange={() => undefined}
      title="Delete?"
      action="Delete"
      pending={false}
      error={error}
      onConfirm={() => undefined}
    >
      x
    </ConfirmDialog>,
  )
  expect(screen.getByRole('alert')).toHaveTextContent(
    /A pipeline uses it.*Delete the pipeline first.*ENTITY_IN_USE/,
  )
})
