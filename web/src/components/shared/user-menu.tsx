import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { LogOut, Monitor, Moon, Sun, UserRound } from 'lucide-react'
import { Button } from '@/components/ui/button'
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuLabel,
  DropdownMenuRadioGroup,
  DropdownMenuRadioItem,
  DropdownMenuSeparator,
  DropdownMenuTrigger,
} from '@/components/ui/dropdown-menu'
import { humanize } from '@/lib/format'
import { toldError } from '@/lib/notify'
import { type Theme, setTheme, useTheme } from '@/lib/theme'
import { meQuery, signOut } from '@/repo/auth'

export function UserMenu() {
  const { data: actor } = useQuery(meQuery)
  const { theme } = useTheme()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const leaving = useMutation({ ...signOut, onError: (error) => toldError('You are still signed in', error) })
  const leave = () =>
    leaving.mutate(undefined, {
      onSuccess: () => {
        void navigate({ to: '/sign-in' }).then(() => {
          queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'auth' })
        })
      },
    })
  return (
    <DropdownMenu>
      <DropdownMenuTrigger asChild>
        <Button variant="ghost" size="icon" aria-label="Account and theme">
          <UserRound aria-hidden />
        </Button>
      </DropdownMenuTrigger>
      <DropdownMenuContent className="w-60">
        <div className="flex flex-col px-2 py-1.5">
          <span className="truncate font-medium">{actor?.name}</span>
          <span className="text-muted-foreground text-xs">{humanize(actor?.role ?? '')}</span>
        </div>
        <DropdownMenuSeparator />
        <DropdownMenuLabel>Theme</DropdownMenuLabel>
        <DropdownMenuRadioGroup value={theme} onValueChange={(next) => setTheme(next as Theme)}>
          <DropdownMenuRadioItem value="light">
            <Sun /> Light
          </DropdownMenuRadioItem>
          <DropdownMenuRadioItem value="dark">
            <Moon /> Dark
          </DropdownMenuRadioItem>
          <DropdownMenuRadioItem value="system">
            <Monitor /> As the system
          </DropdownMenuRadioItem>
        </DropdownMenuRadioGroup>
        {actor?.kind === 'user' && (
          <>
            <DropdownMenuSeparator />
            <DropdownMenuItem onSelect={leave}>
              <LogOut /> Sign out
            </DropdownMenuItem>
          </>
        )}
      </DropdownMenuContent>
    </DropdownMenu>
  )
}
