import { type ClassValue, clsx } from 'clsx'
import { twMerge } from 'tailwind-merge'

/** Class names, of which the last one wins where two of Tailwind's contradict each other. */
export function cn(...classes: ClassValue[]): string {
  return twMerge(clsx(classes))
}
