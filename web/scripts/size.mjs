/** Sizes of the built bundle, gzipped, against their bars: `pnpm build && pnpm size`. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const ENTRY_KIB = 170
const CHUNK_KIB = 65
const reports = join(import.meta.dirname, '..', '..', '.reports')
const dist = join(import.meta.dirname, '..', 'dist')
const kib = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length / 1024

const html = readFileSync(join(dist, 'index.html'), 'utf8')
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((match) => match[1])
const lazy = readdirSync(join(dist, 'assets'))
  .filter((name) => name.endsWith('.js') && !first.includes(`assets/${name}`))
  .map((name) => [name, kib(`assets/${name}`)])
  .sort(([, one], [, other]) => other - one)
const entry = first.reduce((sum, file) => sum + kib(file), 0)
const largest = lazy[0]?.[1] ?? 0

console.log(`entry (${first.length} files): ${entry.toFixed(1)} KiB, at most ${ENTRY_KIB}`)
for (const [name, size] of lazy.slice(0, 8)) console.log(`  ${name}: ${size.toFixed(1)} KiB`)
console.log(`largest lazy chunk: ${largest.toFixed(1)} KiB, at most ${CHUNK_KIB}`)
mkdirSync(reports, { recursive: true })
writeFileSync(
  join(reports, 'dashboard-size.json'),
  JSON.stringify({
    entry_kib: Number(entry.toFixed(1)),
    largest_lazy_chunk_kib: Number(largest.toFixed(1)),
  }) + '\n',
)
if (entry > ENTRY_KIB || largest > CHUNK_KIB) process.exit(1)
