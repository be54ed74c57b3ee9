export interface CommonError {
  title: string
  /** Codes that errors of this kind carry. */
  codes: readonly string[]
  /** What is seen, and why. */
  cause: string
  /** What to do, in this order. */
  steps: readonly string[]
  sql?: string
}

/** What goes wrong most, and what mends it. Each code is one that the services use (a test looks). */
export const COMMON_ERRORS: readonly CommonError[] = [
  {
    title: 'The server cannot be reached',
    codes: ['CONNECTION_REFUSED', 'CONNECTION_TIMEOUT', 'HOST_NOT_FOUND', 'CONNECTION_FAILED'],
    cause:
      'Host, port or a firewall between Rosetta and the server. A destination that is away delays nobody else: its changes wait in order and are written when it is back.',
    steps: [
      'Check host and port under Settings of the source or destination, and test the connection there.',
      'Check that the server listens on that address (listen_addresses) and that pg_hba.conf lets Rosetta in.',
      'The backend refuses addresses that CONNECT_ALLOWLIST does not allow.',
    ],
  },
  {
    title: 'Name or password is refused',
    codes: ['AUTHENTICATION_FAILED', 'DATABASE_NOT_FOUND'],
    cause: 'The credentials were changed at the server, or mistyped.',
    steps: [
      'Enter the new password under Settings of the source or destination; it is taken at once, without a restart.',
    ],
  },
  {
    title: 'Logical replication is not on',
    codes: ['WAL_LEVEL_NOT_LOGICAL', 'SLOTS_EXHAUSTED', 'WAL_SENDERS_EXHAUSTED'],
    cause: 'The source does not write what replication needs, or has no slot or sender left.',
    steps: ['Run the statement as superuser, then restart the server: these settings count from its start.'],
    sql: "ALTER SYSTEM SET wal_level = 'logical';\nALTER SYSTEM SET max_replication_slots = 20;\nALTER SYSTEM SET max_wal_senders = 20;",
  },
  {
    title: 'The user may not replicate, or not read',
    codes: ['REPLICATION_ROLE_MISSING', 'SELECT_RIGHT_MISSING', 'ROW_SECURITY_ACTIVE'],
    cause: 'Reading the log needs the REPLICATION attribute; the first copy needs SELECT.',
    steps: ['Run the statements with the name of your user; on Amazon RDS grant rds_replication instead.'],
    sql: 'ALTER ROLE rosetta REPLICATION;\nGRANT SELECT ON ALL TABLES IN SCHEMA public TO rosetta;',
  },
  {
    title: 'A table has no key',
    codes: ['REPLICA_IDENTITY_MISSING', 'TABLE_WITHOUT_KEY', 'NO_REPLICA_IDENTITY'],
    cause: 'Without a key nobody can say which row an update or a delete is about.',
    steps: [
      'Best: add a primary key.',
      'Else have every change carry the whole row, which makes the log of the source larger.',
    ],
    sql: 'ALTER TABLE public.events REPLICA IDENTITY FULL;',
  },
  {
    title: 'A table is not published',
    codes: ['PUBLICATION_MISSING', 'PUBLICATION_EMPTY', 'PUBLICATION_INCOMPLETE', 'TABLE_NOT_PUBLISHED'],
    cause: 'The source sends only what its publication names.',
    steps: [
      'The preflight of the source can make the publication, and the wizard of a pipeline adds the tables that it needs.',
      'A publication that somebody else made is changed by its owner.',
    ],
    sql: 'ALTER PUBLICATION rosetta_pub ADD TABLE public.orders;',
  },
  {
    title: 'Changes are parked in the dead letter queue',
    codes: ['DATA_ERROR', 'SCHEMA_MISMATCH', 'PERMISSION_MISSING'],
    cause:
      'The target refuses them: a constraint, a type, a missing column or right. They are parked alone, with later changes of the same row behind them; the rest goes on.',
    steps: [
      'Open the dead letter queue of the pipeline and read what the target said.',
      'Mend the target, or edit the record, and retry. Nothing is ever dropped by itself.',
    ],
  },
  {
    title: 'The slot is gone, or was lost',
    codes: ['SLOT_MISSING', 'SLOT_LOST', 'SLOT_DROPPED', 'SLOT_AHEAD', 'RESYNC_REQUIRED'],
    cause:
      'Somebody dropped it, or the source removed log that it still needed (max_slot_wal_keep_size). Changes in between are known to nobody, so Rosetta does not go on by itself.',
    steps: [
      'Resync the destinations: rows are compared, and those that differ are copied anew.',
      'Raise max_slot_wal_keep_size, or set a budget and an alert, so that it does not happen again.',
    ],
  },
  {
    title: 'The source is another one than before',
    codes: ['OTHER_CLUSTER', 'SOURCE_WENT_BACK'],
    cause: 'It was restored from a backup, or the address leads to another server now.',
    steps: [
      'If that was a mistake, point the source back to where it was.',
      'Else delete the pipeline, drop its tables at the destinations, and create it anew.',
    ],
  },
  {
    title: 'Disk of the source fills with WAL',
    codes: ['WAL_BUDGET', 'PARKING_BLOCKED', 'DESTINATION_DETACHED'],
    cause:
      'A slot keeps log until every destination has it, or it is parked. A paused pipeline and one that cannot park any more hold it back.',
    steps: [
      'Start the pipeline, or delete it if nobody needs it: its slot goes with it.',
      'Mend or remove the destination that holds it back; Slots and WAL of the source shows the forecast.',
    ],
  },
  {
    title: 'The pipeline starts again and again',
    codes: ['PROCESS_KILLED', 'PROCESS_STUCK', 'OUT_OF_MEMORY', 'PROCESS_ENDED'],
    cause: 'Its process was ended: by the system for want of memory, or because it gave no sign of life.',
    steps: [
      'Look at the memory of the machine that runs compute, and at the log of the pipeline.',
      'The profile small needs less memory than fast.',
    ],
  },
  {
    title: 'A secret cannot be opened',
    codes: ['SECRET_ERROR'],
    cause: 'SECRET_KEY is another one than when the password was stored.',
    steps: [
      'Start the services with the former key, or name it in SECRET_KEY_PREVIOUS and run rosetta rotate-key.',
      'If it is lost, enter the passwords anew.',
    ],
  },
]

/** Those with every word of `text` in title, codes, cause or steps. */
export function errorsAbout(text: string): CommonError[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return COMMON_ERRORS.filter(({ title, codes, cause, steps }) => {
    const all = [title, ...codes, cause, ...steps].join(' ').toLowerCase()
    return words.every((word) => all.includes(word))
  })
}
