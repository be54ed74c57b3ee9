import { useQueryClient } from '@tanstack/react-query'
import { Outlet, useLocation } from '@tanstack/react-router'
import { Menu, Search } from 'lucide-react'
import { Suspense, lazy, useEffect, useState } from 'react'
import { Button } from '@/components/ui/button'
import { Dialog, SheetContent } from '@/components/ui/dialog'
import { followEvents } from '@/repo/events'
import { ConnectionBanner } from './connection-banner'
import { Sidebar } from './sidebar'
import { Toaster } from './toaster'
import { UserMenu } from './user-menu'

const CommandPalette = lazy(() => import('./command-palette'))

/** Skip link, sidebar, top bar, and the page. */
export function AppShell() {
  const queryClient = useQueryClient()
  const [palette, setPalette] = useState(false)
  const [menu, setMenu] = useState(false)
  const { pathname } = useLocation()
  useEffect(() => followEvents(queryClient), [queryClient])
  useEffect(() => {
    const open = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return
      event.preventDefault()
      setPalette((shown) => !shown)
    }
    document.addEventListener('keydown', open)
    return () => document.removeEventListener('keydown', open)
  }, [])
  return (
    <div className="flex min-h-dvh">
      <a
        href="#main"
        className="bg-primary text-primary-foreground sr-only z-50 rounded-md px-4 py-2 focus:not-sr-only focus:fixed focus:start-3 focus:top-3"
      >
        Skip to content
      </a>
      <aside className="bg-sidebar sticky top-0 hidden h-dvh w-56 shrink-0 border-e lg:block">
        <Sidebar />
      </aside>
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="bg-background/85 sticky top-0 z-30 flex h-14 items-center gap-2 border-b px-4 backdrop-blur sm:px-6">
          <Button
            variant="ghost"
            size="icon"
            className="-ms-2 lg:hidden"
            aria-label="Open menu"
            onClick={() => setMenu(true)}
          >
            <Menu aria-hidden />
          </Button>
          <Button
            variant="outline"
            className="text-muted-foreground min-w-0 justify-start font-normal max-sm:flex-1 sm:w-72"
            onClick={() => setPalette(true)}
          >
            <Search aria-hidden />
            <span className="truncate">Search or jump to…</span>
            <kbd className="bg-muted ms-auto hidden rounded border px-1.5 font-sans text-[11px] sm:block">
              Ctrl K
            </kbd>
          </Button>
          <div className="ms-auto">
            <UserMenu />
          </div>
        </header>
        <ConnectionBanner />
        <main
          id="main"
          tabIndex={-1}
          key={pathname}
          className="mx-auto w-full max-w-7xl flex-1 px-4 py-6 outline-none sm:px-6"
        >
          <Outlet />
        </main>
      </div>
      <Dialog open={menu} onOpenChange={setMenu}>
        <SheetContent side="start" title="Menu" className="bg-sidebar">
          <Sidebar onNavigate={() => setMenu(false)} />
        </SheetContent>
      </Dialog>
      {palette && (
        <Suspense>
          <CommandPalette onClose={() => setPalette(false)} />
        </Suspense>
      )}
      <Toaster />
    </div>
  )
}
