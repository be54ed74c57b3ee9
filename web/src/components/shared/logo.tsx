export function Logo() {
  return (
    <span className="flex items-center gap-2.5 text-base font-semibold tracking-tight">
      <img src="/favicon.svg" alt="" className="size-7" />
      Rosetta
    </span>
  )
}
