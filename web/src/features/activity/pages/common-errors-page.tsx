import { LifeBuoy } from 'lucide-react'
import { CodeBlock } from '@/components/shared/code-block'
import { EmptyState } from '@/components/shared/empty-state'
import { PageHeader } from '@/components/shared/page-header'
import { SearchInput } from '@/components/shared/search-input'
import { Card } from '@/components/ui/card'
import { type CommonError, errorsAbout } from '../data/common-errors'

interface CommonErrorsPageProps {
  text: string
  onText: (text: string) => void
}

export function CommonErrorsPage({ text, onText }: CommonErrorsPageProps) {
  const shown = errorsAbout(text)
  return (
    <div className="flex flex-col gap-5">
      <PageHeader title="Common errors" description="What goes wrong most, why, and what mends it." />
      <SearchInput label="Find an error by its code or words" value={text} onChange={onText} />
      {shown.length > 0 ? (
        <ul className="grid gap-4 lg:grid-cols-2">
          {shown.map((error) => (
            <Entry key={error.title} error={error} />
          ))}
        </ul>
      ) : (
        <Card>
          <EmptyState
            icon={LifeBuoy}
            title="Nothing fits"
            text="Each error that Rosetta shows carries its own remedy beside its code."
          />
        </Card>
      )}
    </div>
  )
}

function Entry({ error: { title, codes, cause, steps, sql } }: { error: CommonError }) {
  return (
    <li className="bg-card flex flex-col gap-3 rounded-lg border p-5 shadow-xs">
      <h2 className="font-semibold">{title}</h2>
      <p className="text-muted-foreground">{cause}</p>
      <ul className="flex list-disc flex-col gap-1 ps-5">
        {steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ul>
      {sql && <CodeBlock code={sql} />}
      <p className="text-muted-foreground mt-auto flex flex-wrap gap-x-3 gap-y-1 text-xs">
        {codes.map((code) => (
          <code key={code}>{code}</code>
        ))}
      </p>
    </li>
  )
}
