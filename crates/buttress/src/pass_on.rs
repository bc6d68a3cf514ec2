//! Protocols around protocols.

/// A tuple of a protocol and something beside it answers as the protocol does, and sends again what the protocol would.
macro_rules! pass_on {
    ($name:ident) => {
        impl<P, F, Res, Err> ::buttress_core::Protocol<Res, Err> for $name<P, F>
        where
            P: ::buttress_core::Protocol<Res, Err>,
            F: Clone,
        {
            type Response = P::Response;
            type Error = P::Error;

            fn classify(&self, result: Result<&Res, &Err>) -> ::buttress_core::Outcome {
                self.0.classify(result)
            }

            fn poll_begun(
                &self,
                response: &mut Res,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<()> {
                self.0.poll_begun(response, cx)
            }

            fn resets(&self) -> Option<u32> {
                ::buttress_core::Protocol::<Res, Err>::resets(&self.0)
            }

            fn agree(&self, one: &Res, other: &Res) -> bool {
                self.0.agree(one, other)
            }

            fn respond(&self, response: Res, receipt: ::buttress_core::Receipt) -> P::Response {
                self.0.respond(response, receipt)
            }

            fn fail(&self, error: Err) -> P::Error {
                self.0.fail(error)
            }

            fn refuse(&self, refusal: ::buttress_core::Refusal) -> Result<P::Response, P::Error> {
                self.0.refuse(refusal)
            }
        }

        impl<P: ::buttress_core::Resend<Req>, F, Req> ::buttress_core::Resend<Req> for $name<P, F> {
            fn idempotent(&self, request: &Req) -> bool {
                self.0.idempotent(request)
            }

            fn copy(&self, request: &mut Req) -> Option<Req> {
                self.0.copy(request)
            }

            fn lost(&self, copy: &Req) -> bool {
                self.0.lost(copy)
            }

            fn favour(&self, copy: &Req, whom: ::buttress_core::Favoured) {
                self.0.favour(copy, whom);
            }
        }

        impl<P: ::buttress_core::Discard<Res>, F, Res> ::buttress_core::Discard<Res>
            for $name<P, F>
        {
            type Discarding = P::Discarding;

            fn discard(&self, response: Res) -> P::Discarding {
                self.0.discard(response)
            }
        }
    };
}

pub(crate) use pass_on;
