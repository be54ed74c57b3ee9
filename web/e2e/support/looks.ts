import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Page, expect } from '@playwright/test'
import { accessible } from './axe'

/** Kept in the repository: every page as most see it, and a few in dark and on a phone. The others are for looking. */
const KEPT = fileURLToPath(new URL('../../../docs/screenshots/', import.meta.url))
const OTHERS = fileURLToPath(new URL('../../../.reports/screenshots/', import.meta.url))
const SHOWN_OFF = ['dashboard', 'pipelines', 'pipeline-overview', 'pipeline-dlq', 'source-preflight']
const DESKTOP = { width: 1280, height: 800 }
const PHONE = { width: 390, height: 844 }

/** Nothing moves while it is looked at. */
const STILL =
  '*, *::before, *::after { transition: none !important; animation: none !important; caret-color: transparent !important }'

async function paint(page: Page, theme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme: theme })
  await page.evaluate((dark) => document.documentElement.classList.toggle('dark', dark), theme === 'dark')
}

async function fits(page: Page, what: string): Promise<void> {
  const { wide, room } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
  }))
  expect(wide, `${what} is no wider than the window`).toBeLessThanOrEqual(room)
}

/** Takes pictures of what is shown, in both themes and on a phone; each is accessible, and none scrolls sideways. */
export async function look(page: Page, name: string, { phone = true, kept = true } = {}): Promise<void> {
  for (const folder of [KEPT, OTHERS]) mkdirSync(folder, { recursive: true })
  await page.addStyleTag({ content: STILL })
  const picture = async (kind: string) => {
    // What sticks to the window shall reach to the end of the page, so the window is made as high as that.
    const size = page.viewportSize() ?? DESKTOP
    const height = await page.evaluate(() => document.documentElement.scrollHeight)
    await page.setViewportSize({ ...size, height: Math.max(size.height, height) })
    const folder = kept && (kind === '' || SHOWN_OFF.includes(name)) ? KEPT : OTHERS
    await page.screenshot({ path: `${folder}${name}${kind}.png`, animations: 'disabled' })
    await page.setViewportSize(size)
  }
  for (const theme of ['light', 'dark'] as const) {
    await paint(page, theme)
    await picture(theme === 'dark' ? '-dark' : '')
    await accessible(page, `${name}, ${theme}`)
  }
  await fits(page, name)
  if (!phone) return
  await paint(page, 'light')
  await page.setViewportSize(PHONE)
  await picture('-phone')
  await fits(page, `${name} on a phone`)
  await page.setViewportSize(DESKTOP)
}
