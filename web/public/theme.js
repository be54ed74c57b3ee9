// Before the first paint, so that a dark page never flashes white. A file of its own: inline scripts are not allowed.
;(function () {
  var chosen = null
  try {
    chosen = localStorage.getItem('rosetta.theme')
  } catch (e) {
    // Storage may be denied; the system's preference is then the answer.
  }
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
})()
