export const largestDay = (days: readonly { credits: string }[]): number =>
  Math.max(0, ...days.map(({ credits }) => Number(credits)))
