import { Link } from '@tanstack/react-router'
import { Compass } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { useDocumentTitle } from '@/lib/use-document-title'
import { EmptyState } from './empty-state'

export function NotFound() {
  useDocumentTitle('Not found')
  return (
    <EmptyState
      wholePage
      icon={Compass}
      title="There is no such page"
      text="The address may be mistyped, or what it showed was deleted."
    >
      <Button asChild>
        <Link to="/">Go to the dashboard</Link>
      </Button>
    </EmptyState>
  )
}
