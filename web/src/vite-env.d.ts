interface ImportMetaEnv {
  /** Where the API is, e.g. `http://localhost:8000/api/v1`; left out, it is where the page comes from. */
  readonly VITE_API_URL?: string
}
