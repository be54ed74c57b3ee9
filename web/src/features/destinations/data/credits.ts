const figure = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const small = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })

/** Decimal text with two places; what is less than that keeps its first digits instead of being none. */
export function formatCredits(credits: string): string {
  const amount = Number(credits)
  return amount > 0 && amount < 0.01 ? small.format(amount) : figure.format(amount)
}

export const largestDay = (days: readonly { credits: string }[]): number =>
  Math.max(0, ...days.map(({ credits }) => Number(credits)))
