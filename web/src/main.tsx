import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { meQuery } from '@/repo/auth'
import { whenSignedOut } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import { makeRouter } from './router'
import './styles.css'

const queryClient = createQueryClient()
const router = makeRouter(queryClient)
// The page's code comes while it is asked who is signed in, not after it. What fails is asked for again, and shown, there.
const [routes] = router.getMatchedRoutes(router.latestLocation.pathname)
for (const route of routes) {
  router.loadRouteChunk(route)?.catch(() => undefined)
}

// The session ended elsewhere: nothing of it stays in memory, and the way back is kept.
whenSignedOut(() => {
  queryClient.setQueryData(meQuery.queryKey, null)
  const { pathname, href } = router.state.location
  if (pathname !== '/sign-in') void router.navigate({ to: '/sign-in', search: { next: href } })
})

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
