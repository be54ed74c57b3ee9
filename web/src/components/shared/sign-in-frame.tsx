import type { ReactNode } from 'react'
import { Card } from '@/components/ui/card'
import { useDocumentTitle } from '@/lib/use-document-title'
import { Logo } from './logo'

export function SignInFrame({
  title,
  text,
  children,
}: {
  title: string
  text: ReactNode
  children: ReactNode
}) {
  useDocumentTitle(title)
  return (
    <main className="from-accent/70 flex min-h-dvh flex-col items-center justify-center gap-6 bg-radial-[at_50%_0%] to-transparent to-60% p-4">
      <Logo />
      <Card className="w-full max-w-sm gap-5 p-6 shadow-sm">
        <div className="flex flex-col gap-1.5">
          <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
          <p className="text-muted-foreground">{text}</p>
        </div>
        {children}
      </Card>
    </main>
  )
}
