import type { AxiosError } from 'axios'

/** What went wrong with one call, in the words of the API, or in ours where it did not get to speak. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** Stable machine code, e.g. `ENTITY_NOT_FOUND`. */
    readonly code: string,
    message: string,
    /** What mends it, where that is known. */
    readonly remedy: string | null = null,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.name = 'ApiError'
  }

  /** The same call can succeed later. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }

  /** Messages by the field of the body that they belong to, e.g. `{"config.pg_port": "..."}`. */
  get fields(): Record<string, string> {
    const errors = this.details.errors
    if (!Array.isArray(errors)) return {}
    const found: Record<string, string> = {}
    for (const error of errors as { field?: unknown; message?: unknown }[]) {
      if (typeof error.field !== 'string' || typeof error.message !== 'string') continue
      found[error.field.replace(/^(body|query)\./, '')] = error.message
    }
    return found
  }
}

interface ErrorBody {
  code: string
  message: string
  remedy?: string | null
  details?: Record<string, unknown>
}

function isErrorBody(body: unknown): body is ErrorBody {
  if (typeof body !== 'object' || body === null) return false
  const parts = body as Partial<ErrorBody>
  return typeof parts.code === 'string' && typeof parts.message === 'string'
}

/** The ApiError that an axios failure means; an answer that is not the API's own says so. */
export function apiErrorOf(error: AxiosError): ApiError {
  const response = error.response
  if (!response) {
    if (error.code === 'ECONNABORTED' || error.code === 'ETIMEDOUT') {
      return new ApiError(
        0,
        'NO_ANSWER_IN_TIME',
        'The backend did not answer in time.',
        'Try again in a moment.',
      )
    }
    return new ApiError(
      0,
      'BACKEND_UNREACHABLE',
      'The backend does not answer.',
      'Check that it is running and that this machine can reach it. This page tries again by itself.',
    )
  }
  const body = response.data
  if (isErrorBody(body)) {
    return new ApiError(response.status, body.code, body.message, body.remedy ?? null, body.details ?? {})
  }
  return new ApiError(
    response.status,
    'UNEXPECTED_ANSWER',
    `Something between this page and the backend answered with HTTP ${response.status}.`,
    'Look at the proxy or load balancer in front of Rosetta, and check that the backend is running.',
  )
}

/** Any failure as an ApiError, for the places that show one. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ApiError(
    0,
    'PAGE_ERROR',
    message,
    'Reload the page; when it happens again, report it with these words.',
  )
}
