import { useMutation, useQuery } from '@tanstack/react-query'
import { Ellipsis, Link2, Trash2, UserCheck, UserX } from 'lucide-react'
import { useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { Loaded } from '@/components/shared/loaded'
import { Ago } from '@/components/shared/updated-ago'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuTrigger,
} from '@/components/ui/dropdown-menu'
import { Select } from '@/components/ui/select'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { humanize } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { createSignInLink, deleteUser, updateUser, usersQuery } from '@/repo/settings'
import type { Role, User } from '@/repo/types'
import { ROLES } from '../data/roles'
import { NewUser } from './new-user'
import { ShownOnce } from './shown-once'

const SHORT_ROLES = ROLES.map(({ value }) => ({ value, label: humanize(value) }))

export function UsersPanel() {
  const query = useQuery(usersQuery)
  return (
    <div className="flex flex-col gap-3">
      <NewUser />
      <Card>
        <Loaded query={query} title="The users cannot be shown">
          {(data) => (
            <Table aria-label="Users">
              <TableHeader>
                <TableHead>E-mail</TableHead>
                <TableHead>Role</TableHead>
                <TableHead>Last sign-in</TableHead>
                <TableHead>
                  <span className="sr-only">Actions</span>
                </TableHead>
              </TableHeader>
              <TableBody>
                {data.items.map((user) => (
                  <UserRow key={user.id} user={user} />
                ))}
              </TableBody>
            </Table>
          )}
        </Loaded>
      </Card>
    </div>
  )
}

function UserRow({ user }: { user: User }) {
  const [asking, setAsking] = useState(false)
  const changing = useMutation({
    ...updateUser,
    onError: (error) => toldError(`${user.email} was not changed`, error),
  })
  const deleting = useMutation({
    ...deleteUser,
    onSuccess: () => {
      setAsking(false)
      told(`${user.email} is deleted.`)
    },
  })
  const linking = useMutation({
    ...createSignInLink,
    onError: (error) => toldError('No link was made', error),
  })
  return (
    <TableRow>
      <TableCell>
        <span className="flex flex-wrap items-center gap-2 font-medium">
          {user.email} {!user.is_active && <Badge>inactive</Badge>}
        </span>
      </TableCell>
      <TableCell>
        <Select
          aria-label={`Role of ${user.email}`}
          className="h-8 w-32"
          value={user.role}
          disabled={changing.isPending}
          onValueChange={(role) => changing.mutate({ id: user.id, role: role as Role })}
          options={SHORT_ROLES}
        />
      </TableCell>
      <TableCell>
        <Ago time={user.last_login_at} />
      </TableCell>
      <TableCell className="w-12 text-end">
        <DropdownMenu>
          <DropdownMenuTrigger asChild>
            <Button variant="ghost" size="icon-sm" aria-label={`Actions for ${user.email}`}>
              <Ellipsis aria-hidden />
            </Button>
          </DropdownMenuTrigger>
          <DropdownMenuContent>
            <DropdownMenuItem onSelect={() => linking.mutate(user.id)}>
              <Link2 /> Make a sign-in link
            </DropdownMenuItem>
            <DropdownMenuItem onSelect={() => changing.mutate({ id: user.id, is_active: !user.is_active })}>
              {user.is_active ? <UserX /> : <UserCheck />} {user.is_active ? 'Deactivate' : 'Activate'}
            </DropdownMenuItem>
            <DropdownMenuItem destructive onSelect={() => setAsking(true)}>
              <Trash2 /> Delete…
            </DropdownMenuItem>
          </DropdownMenuContent>
        </DropdownMenu>
        {linking.data && (
          <ShownOnce
            title={`Sign-in link for ${user.email}`}
            description="It signs in once, and is valid for a day. It is shown only now."
            text={`${window.location.origin}/first-sign-in#token=${linking.data.token}`}
            onClose={() => linking.reset()}
          />
        )}
        <ConfirmDialog
          open={asking}
          onOpenChange={setAsking}
          title={`Delete ${user.email}?`}
          action="Delete the user"
          typed={user.email}
          pending={deleting.isPending}
          error={deleting.error}
          onConfirm={() => deleting.mutate(user.id)}
        >
          <p className="text-start">
            Every session of this user ends at once. What they did stays in the audit log.
          </p>
        </ConfirmDialog>
      </TableCell>
    </TableRow>
  )
}
