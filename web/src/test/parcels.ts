import type { TableSchema } from '@/repo/types'

/** A table of a source. */
export const PARCELS: TableSchema = {
  schema_name: 'shop',
  table_name: 'parcels',
  key: ['id'],
  columns: [
    { name: 'id', type: 'bigint', nullable: false },
    { name: 'label', type: 'text', nullable: true },
    { name: 'email', type: 'text', nullable: true },
  ],
}
