import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Button } from '@/components/ui/button'
import { Input } from '@/components/ui/input'
import { Select } from '@/components/ui/select'
import { plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { createPreset, presetsQuery } from '@/repo/presets'
import type { SourceTable } from '@/repo/types'
import { nameOf } from '../data/draft'

interface PresetBarProps {
  sourceId: number
  tables: readonly SourceTable[]
  picked: ReadonlySet<string>
  onPick: (picked: ReadonlySet<string>) => void
}

/** Takes a saved selection of tables, or saves this one. */
export function PresetBar({ sourceId, tables, picked, onPick }: PresetBarProps) {
  const presets = useQuery(presetsQuery(sourceId)).data?.items ?? []
  const [name, setName] = useState('')
  const saving = useMutation({
    ...createPreset,
    onSuccess: (preset) => {
      setName('')
      told(`${preset.name} is saved, with ${plural(preset.tables.length, 'table')}.`)
    },
    onError: (error) => toldError('The preset was not saved', error),
  })
  const take = (id: string) => {
    const there = new Set(tables.map(nameOf))
    const chosen = presets.find((preset) => String(preset.id) === id)?.tables.map(nameOf) ?? []
    onPick(new Set(chosen.filter((table) => there.has(table))))
  }
  const save = (event: FormEvent) => {
    event.preventDefault()
    const chosen = tables.filter((table) => picked.has(nameOf(table)))
    const names = chosen.map(({ schema_name, table_name }) => ({ schema_name, table_name }))
    if (name.trim() && names.length > 0) saving.mutate({ sourceId, name: name.trim(), tables: names })
  }
  return (
    <div className="flex flex-wrap items-center gap-2">
      {presets.length > 0 && (
        <Select
          aria-label="Take a preset"
          className="w-56"
          placeholder="Take a preset"
          value=""
          onValueChange={take}
          options={presets.map((preset) => ({
            value: String(preset.id),
            label: `${preset.name} (${preset.tables.length})`,
          }))}
        />
      )}
      {picked.size > 0 && (
        <form onSubmit={save} className="flex flex-1 flex-wrap gap-2 sm:justify-end">
          <Input
            aria-label="Name of the preset"
            className="w-56"
            placeholder="Save this choice as…"
            value={name}
            maxLength={200}
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
          <Button type="submit" variant="outline" disabled={!name.trim()} pending={saving.isPending}>
            Save preset
          </Button>
        </form>
      )}
    </div>
  )
}
