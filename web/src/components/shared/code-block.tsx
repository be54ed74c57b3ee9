import { CopyButton } from './copy-button'

/** SQL or a command to be run elsewhere. */
export function CodeBlock({ code }: { code: string }) {
  return (
    <div className="bg-muted/60 flex items-start justify-between gap-2 rounded-md border p-2 ps-3">
      <pre className="min-w-0 flex-1 py-1 font-mono text-xs leading-5 wrap-anywhere whitespace-pre-wrap">
        {code}
      </pre>
      <CopyButton text={code} />
    </div>
  )
}
