import { fileURLToPath } from 'node:url'
import { existsSync } from 'node:fs'
import { defineConfig } from '@playwright/test'

/** In the workers too, which inherit the environment. */
const port = (process.env.STAGE_PORT ??= String(20_000 + (process.pid % 20_000)))
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
/** `make e2e` measures speed and takes pictures too; `make test` keeps to what is right or wrong. */
const full = process.env.E2E_FULL === '1'

/** One story from an empty installation to a deleted pipeline, told in the order of the files' names. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: '../.reports/e2e',
  testIgnore: full ? [] : ['**/*.full.spec.ts'],
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: [['list'], ['json', { outputFile: '../.reports/e2e/results.json' }]],
  use: {
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    colorScheme: 'light',
    actionTimeout: 20_000,
    // Its snapshots of the document show as much as the film would, for which every frame is drawn and encoded.
    trace: { mode: 'retain-on-failure', screenshots: false, snapshots: true, sources: true },
    permissions: ['clipboard-read', 'clipboard-write'],
    launchOptions: { executablePath: chromium, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] },
  },
  webServer: {
    command: `.venv/bin/python -m tests.dashboard.stage ${port}`,
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    url: `http://127.0.0.1:${port}/health`,
    // A stage that somebody keeps running while writing tests.
    reuseExistingServer: process.env.STAGE_KEPT === '1',
    timeout: 120_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 60_000 },
  },
})
