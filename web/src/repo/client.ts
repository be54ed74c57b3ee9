import axios, { type AxiosRequestConfig } from 'axios'
import { ApiError, apiErrorOf } from './api-error'

/** Where the API is; without VITE_API_URL it is where this page comes from. */
export const API_URL = import.meta.env.VITE_API_URL ?? '/api/v1'

const TIMEOUT_MS = 30_000

const http = axios.create({
  baseURL: API_URL,
  withCredentials: true,
  timeout: TIMEOUT_MS,
  // Lists repeat their name, as the API reads them: `state=PARKED&state=RETRYING`.
  paramsSerializer: { indexes: null },
})

let onSignedOut: () => void = () => undefined

/** `listener` is called when a session has ended while a page was open. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener
}

http.interceptors.response.use(undefined, (failure: unknown) => {
  if (!axios.isAxiosError(failure)) throw failure
  const error = apiErrorOf(failure)
  if (error.status === 401 && !failure.config?.url?.startsWith('/auth/')) onSignedOut()
  throw error
})

type Params = Record<string, string | number | boolean | string[] | null | undefined>

async function call<T>(config: AxiosRequestConfig): Promise<T> {
  const answer = await http.request<T>(config)
  // A proxy's page with status 200 is no answer of the API's.
  if (answer.status !== 204 && typeof answer.data === 'string') {
    throw new ApiError(
      answer.status,
      'UNEXPECTED_ANSWER',
      'What answered is not the API of Rosetta.',
      `Check that ${API_URL} leads to the backend.`,
    )
  }
  return answer.data
}

export const api = {
  get: <T>(url: string, params?: Params, signal?: AbortSignal) =>
    call<T>({ method: 'GET', url, params, signal }),
  post: <T>(url: string, data?: unknown) => call<T>({ method: 'POST', url, data }),
  put: <T>(url: string, data: unknown) => call<T>({ method: 'PUT', url, data }),
  delete: <T = void>(url: string, params?: Params) => call<T>({ method: 'DELETE', url, params }),
}
