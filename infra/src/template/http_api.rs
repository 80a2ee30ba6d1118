//! The resources of an HTTP API (AWS CloudFormation, `AWS::ApiGatewayV2`).

use serde_json::{Map, Value};

use super::evaluate::invalid;
use super::resources::{Reader, only};
use super::{RouteSpec, TemplateError};
use crate::http_api::Cors;

impl Reader<'_> {
    pub(super) fn http_api(
        &mut self,
        id: &str,
        kind: &str,
        properties: &Map<String, Value>,
    ) -> Result<(), TemplateError> {
        match kind.rsplit("::").next() {
            Some("Api") => self.api(id, properties),
            Some("Stage") => self.stage(id, properties),
            Some("Integration") => self.integration(id, properties),
            Some("Route") => self.route(id, properties),
            // which none of the routes that are taken asks for
            Some("Authorizer") => {
                self.template.without_effect.insert(kind.to_owned());
                Ok(())
            }
            _ => Err(TemplateError::UnknownType { resource: id.to_owned(), kind: kind.to_owned() }),
        }
    }

    /// The text of a property that has to be one of a few.
    fn one_of(&self, at: &str, value: &Value, known: &[&str]) -> Result<(), TemplateError> {
        let text = self.evaluator.text(at, value)?;
        match known.contains(&text.as_str()) {
            true => Ok(()),
            false => Err(invalid(at, format!("{text} is not emulated, only {}", known.join(", ")))),
        }
    }

    fn api(&mut self, id: &str, properties: &Map<String, Value>) -> Result<(), TemplateError> {
        for (property, value) in properties {
            let at = format!("{id}.{property}");
            let emulated = ["ProtocolType", "CorsConfiguration"];
            match self.is_emulated(id, property, &emulated, &["Name", "Description", "Tags"])? {
                true if property == "ProtocolType" => self.one_of(&at, value, &["HTTP"])?,
                true => self.template.http_api.cors = self.cors(&at, value)?,
                false => {}
            }
        }
        Ok(())
    }

    fn cors(&self, at: &str, value: &Value) -> Result<Option<Cors>, TemplateError> {
        let value = self.evaluator.value(at, value)?;
        if value.is_null() {
            return Ok(None);
        }
        let known = [
            "AllowOrigins",
            "AllowMethods",
            "AllowHeaders",
            "ExposeHeaders",
            "AllowCredentials",
            "MaxAge",
        ];
        only(at, &value, &known)?;
        let texts = |name: &str| -> Vec<String> {
            let items = value[name].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Ok(Some(Cors {
            origins: texts("AllowOrigins"),
            methods: texts("AllowMethods"),
            headers: texts("AllowHeaders"),
            exposed: texts("ExposeHeaders"),
            credentials: value["AllowCredentials"].as_bool().unwrap_or(false),
            max_age: value["MaxAge"].as_u64(),
        }))
    }

    fn stage(&mut self, id: &str, properties: &Map<String, Value>) -> Result<(), TemplateError> {
        for (property, value) in properties {
            let without = ["ApiId", "AutoDeploy", "DefaultRouteSettings", "Description", "Tags"];
            if self.is_emulated(id, property, &["StageName"], &without)? {
                self.one_of(&format!("{id}.{property}"), value, &["$default"])?;
            }
        }
        Ok(())
    }

    fn integration(
        &mut self,
        id: &str,
        properties: &Map<String, Value>,
    ) -> Result<(), TemplateError> {
        for (property, value) in properties {
            let at = format!("{id}.{property}");
            let emulated = ["IntegrationType", "IntegrationUri", "PayloadFormatVersion"];
            if !self.is_emulated(id, property, &emulated, &["ApiId", "Description"])? {
                continue;
            }
            match property.as_str() {
                "IntegrationType" => self.one_of(&at, value, &["AWS_PROXY"])?,
                "PayloadFormatVersion" => self.one_of(&at, value, &["2.0"])?,
                _ => {
                    let arn = self.evaluator.text(&at, value)?;
                    let function = arn.rsplit(':').next().unwrap_or_default();
                    self.integrations.insert(id.to_owned(), function.to_owned());
                }
            }
        }
        Ok(())
    }

    fn route(&mut self, id: &str, properties: &Map<String, Value>) -> Result<(), TemplateError> {
        let mut route = RouteSpec { function: String::new(), key: String::new() };
        for (property, value) in properties {
            let at = format!("{id}.{property}");
            let emulated = ["RouteKey", "Target", "AuthorizationType"];
            let without = ["ApiId", "AuthorizerId", "AuthorizationScopes", "OperationName"];
            if !self.is_emulated(id, property, &emulated, &without)? {
                continue;
            }
            match property.as_str() {
                "RouteKey" => route.key = self.evaluator.text(&at, value)?,
                "Target" => route.function = self.evaluator.text(&at, value)?,
                _ => self.one_of(&at, value, &["AWS_IAM", "NONE"])?,
            }
        }
        self.template.http_api.routes.push(route);
        Ok(())
    }

    /// Says of each route which function it leads to: an integration may come after its routes.
    pub(super) fn integrate(&mut self) -> Result<(), TemplateError> {
        let integrations = &self.integrations;
        for route in &mut self.template.http_api.routes {
            let Some(target) = route.function.strip_prefix("integrations/") else { continue };
            let function = integrations.get(target);
            let missing = || invalid(&route.key, format!("there is no integration {target}"));
            route.function = function.ok_or_else(missing)?.clone();
        }
        Ok(())
    }
}
