import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark' | 'system'

const KEY = 'rosetta.theme'
const CHANGED = 'rosetta-theme'
const prefersDark = '(prefers-color-scheme: dark)'

function chosen(): Theme {
  try {
    const stored = localStorage.getItem(KEY)
    return stored === 'light' || stored === 'dark' ? stored : 'system'
  } catch {
    return 'system' // storage may be denied
  }
}

function isDark(): boolean {
  const theme = chosen()
  return theme === 'dark' || (theme === 'system' && matchMedia(prefersDark).matches)
}

export function setTheme(theme: Theme): void {
  try {
    if (theme === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  const dark = theme === 'dark' || (theme === 'system' && matchMedia(prefersDark).matches)
  document.documentElement.classList.toggle('dark', dark)
  window.dispatchEvent(new Event(CHANGED))
}

function subscribe(listener: () => void): () => void {
  const system = matchMedia(prefersDark)
  const followSystem = () => {
    document.documentElement.classList.toggle('dark', isDark())
    listener()
  }
  system.addEventListener('change', followSystem)
  window.addEventListener(CHANGED, listener)
  return () => {
    system.removeEventListener('change', followSystem)
    window.removeEventListener(CHANGED, listener)
  }
}

/** What was chosen, and whether the page is dark now. */
export function useTheme(): { theme: Theme; dark: boolean } {
  const theme = useSyncExternalStore(subscribe, chosen)
  const dark = useSyncExternalStore(subscribe, () => document.documentElement.classList.contains('dark'))
  return { theme, dark }
}
