/** `path` if it leads to a page of ours, else the first page: a link may not send somebody elsewhere after signing in. */
export function safePath(path: string | undefined): string {
  return path && /^\/(?![/\\])/.test(path) && !/^\/(first-)?sign-in(?![\w-])/.test(path) ? path : '/'
}
