import { AxiosError, AxiosHeaders } from 'axios'
import { describe, expect, it } from 'vitest'
import { ApiError, apiErrorOf, asApiError } from './api-error'

function failure(status: number, data: unknown): AxiosError {
  const config = { headers: new AxiosHeaders() }
  return new AxiosError('x', 'ERR', config, null, { status, data, statusText: '', headers: {}, config })
}

describe('apiErrorOf', () => {
  it("keeps the API's words", () => {
    const error = apiErrorOf(
      failure(404, {
        error: 'EntityNotFoundError',
        code: 'ENTITY_NOT_FOUND',
        message: 'There is no source 7.',
        remedy: 'List.',
        details: { entity_id: 7 },
      }),
    )
    expect(error).toMatchObject({
      status: 404,
      code: 'ENTITY_NOT_FOUND',
      remedy: 'List.',
      details: { entity_id: 7 },
      retryable: false,
    })
  })

  it("says that a proxy's page is not the API's answer", () => {
    const error = apiErrorOf(failure(502, '<html>Bad gateway</html>'))
    expect(error).toMatchObject({ code: 'UNEXPECTED_ANSWER', retryable: true })
    expect(error.message).not.toContain('<html>')
  })

  it('says that nobody answered', () => {
    expect(apiErrorOf(new AxiosError('Network Error', 'ERR_NETWORK'))).toMatchObject({
      status: 0,
      code: 'BACKEND_UNREACHABLE',
      retryable: true,
    })
    expect(apiErrorOf(new AxiosError('timeout', 'ECONNABORTED')).code).toBe('NO_ANSWER_IN_TIME')
  })
})

it('gives messages to the fields that they belong to', () => {
  const errors = [
    { field: 'body.pg_port', message: 'too large', type: 'x' },
    { field: 'body.config.pg_host', message: 'needed', type: 'x' },
    { field: 7, message: 'broken' },
  ]
  expect(new ApiError(422, 'VALIDATION_ERROR', 'x', null, { errors }).fields).toEqual({
    pg_port: 'too large',
    'config.pg_host': 'needed',
  })
})

it('shows any other failure as a mistake of the page', () => {
  expect(asApiError(new TypeError('x is undefined'))).toMatchObject({
    code: 'PAGE_ERROR',
    message: 'x is undefined',
  })
})
