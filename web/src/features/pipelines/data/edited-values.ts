/** What was typed, by column: a text, NULL, or nothing. */
export type Draft = Record<string, string | null | undefined>

/** The columns whose drafts say something else than their values. */
export function changedValues(
  values: Record<string, string | null>,
  draft: Draft,
): Record<string, string | null> {
  const changed: Record<string, string | null> = {}
  for (const [column, text] of Object.entries(draft)) {
    if (text !== undefined && text !== values[column]) changed[column] = text
  }
  return changed
}
