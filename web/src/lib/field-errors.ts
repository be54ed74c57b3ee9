import type { FieldValues, Path, UseFormReturn } from 'react-hook-form'
import type { ApiError } from '@/repo/api-error'

/**
 * Puts the messages of an error on the form's fields that they belong to (`config.pg_port` is `pg_port`).
 * Answers whether every message found its field.
 */
export function placeErrors<Values extends FieldValues>(
  form: UseFormReturn<Values>,
  error: ApiError,
): boolean {
  const names = Object.keys(form.getValues())
  const messages = Object.entries(error.fields)
  const placed = messages.filter(([field, message]) => {
    const name = names.find((candidate) => field === candidate || field.endsWith(`.${candidate}`))
    if (name) form.setError(name as Path<Values>, { message }, { shouldFocus: true })
    return name !== undefined
  })
  return messages.length > 0 && placed.length === messages.length
}
