import * as z from 'zod/mini'
import { EMPTY_POSTGRES, identifier, objectName, postgresFields } from '@/lib/postgres-form'

export const sourceSchema = z.object({ name: objectName, ...postgresFields, publication_name: identifier })
export type SourceValues = z.infer<typeof sourceSchema>

export const EMPTY_SOURCE: SourceValues = { name: '', ...EMPTY_POSTGRES, publication_name: 'rosetta' }
